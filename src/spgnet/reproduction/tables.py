"""The results of a reproduction as Markdown: our rows beside the paper's printed ones."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from spgnet.evaluation import METRICS, markdown_table, metric_headings
from spgnet.reproduction.artefacts import ARTEFACTS, SEEN_LABELS, Artefact, Seen
from spgnet.reproduction.methods import METHODS, NOT_RUN, REMARKS
from spgnet.reproduction.paper import BONE_SPREAD, PaperTable, audit
from spgnet.training.experiments import mean_and_spread

PRINTED_ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether"),
)
"""Human3.6M's names of the actions in the order of the paper's rows."""


def report(result: dict[str, Any]) -> str:
    """Everything that is said of a result: what ran, our rows beside the paper's, and every action."""
    about = ARTEFACTS[result["artefact"]]
    parts = [ran(result)]
    for table in about.printed():
        parts += [beside_the_paper(result, about, table), by_action(result, about, table)]
    if not about.tables:
        parts.append(comparison(result, about))
    if "bones" in result:
        parts.append(bone_table(result["bones"]))
    if "hidden" in result:
        parts.append(hidden_table(result["hidden"]) + (SIMULATED if result["motion"] != "human36m" else ""))
    return "\n".join(parts)


def ran(result: dict[str, Any]) -> str:
    """A sentence on what ran, and the command."""
    data = {
        "human36m": "Human3.6M",
        "captured": "The open benchmark's captured motion",
        "generated": "Generated motion",
    }[result["motion"]]
    runs = result["runs"]
    seeds = len({run["seed"] for run in runs})
    commits = ", ".join(sorted({str(run["commit"]) for run in runs}))
    minutes = sum(run["seconds"] for run in runs) / 60
    spread = f"{seeds} seeds: mean, and half the range" if seeds > 1 else "one seed"
    return (
        f"{data}, {result['size']} networks, {spread}. "
        f"{len(runs)} runs, {minutes:.0f} minutes of training in all, at commit {commits}.\n\n"
        f"```console\n{result['command']}\n```\n"
    )


def beside_the_paper(result: dict[str, Any], about: Artefact, table: PaperTable) -> str:
    """Every column of a printed table as a row: its printed average, and ours where it runs here."""
    metric = "mpjpe" if table.protocol == 1 else "p_mpjpe"
    audited = {row.method: row for row in audit(table)}
    ours = {METHODS[key].printed: key for key in about.methods}
    lines = []
    for column in table.methods:
        row = audited[column]
        mark = "" if row.verdict == "matches" else f" ({row.mean:.2f})"
        key = ours.get(column)
        measured = "–" if key is None else seeds_of(result, key, about.seen[0], metric)
        remark = (NOT_RUN | REMARKS).get(column, "")
        lines.append([column.replace("Our", "SPGNet"), f"{row.printed:.1f}{mark}", measured, remark])
    header = [
        f"{table.name}, Protocol {table.protocol}",
        "paper, Human3.6M [mm]",
        f"{where(result)} [mm]",
        "",
    ]
    return _aligned(header, lines, numbers=(1, 2))


def by_action(result: dict[str, Any], about: Artefact, table: PaperTable) -> str:
    """Mean over the seeds for every action and method; on Human3.6M with the printed figures before them."""
    metric = "mpjpe" if table.protocol == 1 else "p_mpjpe"
    keys = [key for key in about.methods if METHODS[key].printed in table.methods]
    measured = {key: _actions(result, key, about.seen[0], metric) for key in keys}
    lines = []
    for action in _ordered(measured[keys[0]]):
        cells = []
        for key in keys:
            value = f"{measured[key][action]:.1f}"
            if result["motion"] == "human36m":
                printed = table.column(METHODS[key].printed or "")[PRINTED_ACTIONS.index(action)]
                value = f"{printed:.1f} / {value}"
            cells.append(value)
        lines.append([action, *cells])
    unit = "paper / here [mm]" if result["motion"] == "human36m" else "[mm]"
    label = f"{METRICS[metric].label} {unit}"
    return markdown_table([label, *(METHODS[key].name for key in keys)], lines, labels=1)


def comparison(result: dict[str, Any], about: Artefact) -> str:
    """A line for every 2D input and method, and a column for every metric."""
    lines = [
        [
            two_d(result, seen),
            METHODS[key].name,
            *(seeds_of(result, key, seen, metric) for metric in about.metrics),
        ]
        for seen in about.seen
        for key in about.methods
    ]
    return markdown_table(["2D", "method", *metric_headings(about.metrics)], lines, labels=2)


def two_d(result: dict[str, Any], seen: Seen) -> str:
    """What a 2D input is called on the data of a result."""
    if result["motion"] == "human36m":
        return SEEN_LABELS[seen]
    return {"detected": "noisy", "exact": "projected"}[seen]


def bone_table(bones: dict[str, Any]) -> str:
    """Length of every bone in the seven frames: the least, the greatest, their difference, and the truth."""
    lines, largest = [], 0.0
    for number, name in enumerate(bones["names"]):
        predicted = [frame[number] for frame in bones["predicted"]]
        spread = max(predicted) - min(predicted)
        largest = max(largest, spread)
        true = mean(frame[number] for frame in bones["true"])
        lines.append(
            [name.replace("_", " "), *(f"{x:.3f}" for x in (min(predicted), max(predicted), spread, true))]
        )
    header = ["bone", "least [m]", "greatest [m]", "difference [m]", "true, mean [m]"]
    note = f"Clip {bones['clip']} of {bones['subject']}. The largest difference is {largest:.3f} m"
    return (
        markdown_table(header, lines, labels=1) + f"\n{note}; the paper's are all within {BONE_SPREAD} m.\n"
    )


def hidden_table(hidden: dict[str, Any]) -> str:
    """Error by the number of joints that the person's own body hides from the camera."""
    lines = [
        [count, f"{100 * share:.1f}", mean_and_spread([seed[count] for seed in hidden["mpjpe"]])]
        for count, share in hidden["shares"].items()
    ]
    header = ["hidden joints", "share of the frames [%]", "MPJPE (P1) [mm]"]
    behind, seen = (mean_and_spread([seed[name] for seed in hidden["joints"]]) for name in ("hidden", "seen"))
    return _aligned(header, lines, numbers=(0, 1, 2)) + (
        "\nPoses with more hidden joints are other poses, too. Joint by joint: hidden joints are "
        f"{behind} mm off, and the same joints where they are seen {seen} mm.\n"
    )


SIMULATED = """
The simulated detector errs alike on hidden joints and on others, so this says how hard such poses are to
lift, not what a real detector's guesses at hidden joints would cost.
"""


def where(result: dict[str, Any]) -> str:
    """Where our figures were measured."""
    return "here, Human3.6M" if result["motion"] == "human36m" else f"here, {result['motion']} motion"


def scores(result: dict[str, Any], method: str, seen: str, metric: str) -> list[float]:
    """The mean over the actions of each seed's run; none where the metric has no value."""
    runs = [run for run in result["runs"] if (run["method"], run["seen"]) == (method, seen)]
    values = [run["evaluation"]["mean_over_actions"][metric] for run in runs]
    return [value for value in values if value is not None]


def seeds_of(result: dict[str, Any], method: str, seen: str, metric: str) -> str:
    """Mean of a method's seeds and half their range, as text."""
    values = scores(result, method, seen, metric)
    return mean_and_spread(values) if values else "–"


def _actions(result: dict[str, Any], method: str, seen: str, metric: str) -> dict[str, float]:
    runs = [run for run in result["runs"] if (run["method"], run["seen"]) == (method, seen)]
    actions = [run["evaluation"]["actions"] for run in runs]
    return {action: mean(each[action][metric] for each in actions) for action in actions[0]}


def _ordered(actions: dict[str, float]) -> list[str]:
    """The paper's order where all actions are the paper's, else that of the alphabet."""
    if set(actions) <= set(PRINTED_ACTIONS):
        return sorted(actions, key=PRINTED_ACTIONS.index)
    return sorted(actions)


def _aligned(header: Sequence[str], lines: Sequence[Sequence[str]], *, numbers: tuple[int, ...]) -> str:
    rule = ["---:" if column in numbers else "---" for column in range(len(header))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, rule, *lines))
