#!/bin/sh
# All runs of the full size, in the order that answers the main questions soonest (docs/reproduce.md).
# Days of work for two cores; started again, it goes on where it stopped.
#
#     sh scripts/full_size.sh MOTION OUT [further options, such as --jobs 2]
#     sh scripts/full_size.sh MOTION OUT --report    # trains nothing: reports on the runs that are done
set -e
motion=$1 out=$2
shift 2
run() {
    spgnet reproduce "$@" --data open --size full --motion "$motion" --out "$out"
}
if [ "$1" = --report ]; then
    for name in figure4a frames forms why arms search; do
        run $name --report || true # none of its runs may be done yet
    done
    exit
fi
for input in exact detected; do
    run figure4a --seeds 1 --input $input "$@"
    run forms --seeds 1 --input $input "$@"
done
run figure4a --seeds 3 "$@"
run forms --seeds 3 "$@"
run search --seeds 1 "$@"
for seeds in 1 3; do
    run why --seeds $seeds "$@"
    run arms --seeds $seeds "$@"
    run frames --seeds $seeds "$@"
done
