"""The results of reproductions as Markdown: tables with our rows beside the paper's, and the page of all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any, Literal

from spgnet.datasets.human36m_motion import ACTIONS
from spgnet.evaluation import METRICS, markdown_table, metric_headings
from spgnet.reproduction.artefacts import ARTEFACTS, GUIDED_SUFFIX, INPUT_LABELS, Artefact, Input2D
from spgnet.reproduction.methods import METHODS, NOT_RUN, REMARKS
from spgnet.reproduction.paired import LEVEL
from spgnet.reproduction.paper import BONE_SPREAD, PaperTable, audit
from spgnet.training.experiments import mean_and_spread

CURVES = "-curves"
"""What is added to the name of the picture of the training curves."""
INTRODUCTION = """# Results

`python scripts/results_page.py` writes this page from `results.json`, which has the command, commit and seed
of every run. {human36m}
and do not compare with the paper's, quoted as printed (in brackets the printed column's mean, where it
differs). [The same on Human3.6M](reproduce.md).

The quick size comes first: networks trained for minutes, on version 1 of the benchmark. Conclusions need the
[full size](#full-size).
"""
NO_HUMAN36M = "**None of our numbers is of Human3.6M**: they are of the [open benchmark](open_benchmark.md)"
BESIDE_HUMAN36M = (
    "Those [of Human3.6M](#human36m) come last; all others are of the [open benchmark](open_benchmark.md)"
)

FULL_SIZE_INTRODUCTION = """# Full size

On [version 2 of the open benchmark](open_benchmark.md#version-2), with 19 times the output frames of the
quick size.
"""

NOTHING_YET = """
No run of the full size has come to its end yet.
"""

SPREAD_NOTE = """
Values with ± are the mean over the seeds and half their range.
"""

TEST_NOTE = f"""
Pairs of methods are tested by Wilcoxon's signed-rank test of the test clips' differences, averaged over
cameras and seeds, and from three seeds on by Student's paired t test of the seeds' differences: significant
if both probabilities are below {LEVEL}. Differences are means over clips, other tables means over actions.
"""

GRADIENT_NOTE = """
The gradient of the weighted re-projection term against that of the pose term in the pose encoder, and that of
the trajectory term in the other: cosine of the angle and ratio of the norms, on 1024 output frames.
"""


def results_page(results: Sequence[dict[str, Any]]) -> str:
    """The page of the tables and figures in some results, in the order of :data:`ARTEFACTS`.

    Those of the quick size come first, then those of the full size, and those of Human3.6M last.
    """
    known: dict[tuple[str, str], dict[str, Any]] = {
        (result["artefact"], _section(result)): result for result in results
    }
    on_human36m = any(section == "human36m" for _, section in known)
    sections = {
        "quick": INTRODUCTION.format(human36m=BESIDE_HUMAN36M if on_human36m else NO_HUMAN36M),
        "full": FULL_SIZE_INTRODUCTION,
        "human36m": "# Human3.6M\n",
    }
    parts = []
    for section, introduction in sections.items():
        chosen = {name: artefact for name, artefact in ARTEFACTS.items() if (name, section) in known}
        if section == "human36m" and not chosen:
            continue
        parts.append(introduction + (NOTHING_YET if section == "full" and not chosen else ""))
        parts[-1] += notes([known[name, section] for name in chosen])
        for name, artefact in chosen.items():
            result, title = known[name, section], artefact.title
            pictures = "".join(
                f"\n![{title.partition(':')[0]}{', training curves' if suffix == CURVES else ''}]"
                f"(results/{picture_stem(result)}{suffix}.png)\n"
                for suffix in picture_suffixes(result)
            )
            ending = {"quick": "", "full": ", full size", "human36m": ", on Human3.6M"}[section]
            parts.append(f"## {title}{ending}\n\n{report(result, on_page=True)}{pictures}")
    return "\n".join(parts)


def _section(result: dict[str, Any]) -> Literal["quick", "full", "human36m"]:
    """The part of the page that a result belongs to."""
    if result["motion"] == "human36m":
        return "human36m"
    return "full" if result["size"] == "full" else "quick"


def picture_stem(result: dict[str, Any]) -> str:
    """The name of a result's pictures on the page, without their endings."""
    section = _section(result)
    return result["artefact"] + ("" if section == "quick" else f"-{section}")


def picture_suffixes(result: dict[str, Any]) -> tuple[str, ...]:
    """What is added to the names of a result's pictures."""
    pictures = ARTEFACTS[result["artefact"]].pictures
    if pictures and not _has_all_pictures(result):
        pictures = ()
    return pictures + ((CURVES,) if any(run.get("curve") for run in result["runs"]) else ())


def _has_all_pictures(result: dict[str, Any]) -> bool:
    """Whether what its own pictures show has been run."""
    extra = {"figure5": "bones", "figure6": "hidden"}.get(result["artefact"])
    return extra is None or extra in result


def notes(results: Sequence[dict[str, Any]]) -> str:
    """What the numbers in the tables of some results mean: a paragraph for each kind that they have."""
    runs = [run for result in results for run in result["runs"]]
    needed = {
        SPREAD_NOTE: len({run["seed"] for run in runs}) > 1,
        TEST_NOTE: any(result.get("tests") for result in results),
        GRADIENT_NOTE: any("gradients" in run for run in runs),
    }
    return "".join(note for note, is_needed in needed.items() if is_needed)


def report(result: dict[str, Any], *, on_page: bool = False) -> str:
    """The report on a result: its runs, and our rows beside the paper's.

    Without the errors by action and the notes if it is part of the page of all results.
    """
    artefact = ARTEFACTS[result["artefact"]]
    parts = [describe_runs(result, on_page=on_page)]
    for table in artefact.paper_tables():
        parts.append(paper_table(result, artefact, table))
        if not on_page:
            parts.append(action_table(result, artefact, table))
    if not artefact.tables:
        parts.append(method_table(result, artefact))
    if result.get("tests"):
        parts.append(test_table(result))
    if any("gradients" in run for run in result["runs"]):
        parts.append(gradient_table(result))
    if "bones" in result:
        parts.append(bone_table(result["bones"]))
    if "hidden" in result:
        parts.append(
            occlusion_table(result["hidden"])
            + (SIMULATED_DETECTOR_NOTE if result["motion"] != "human36m" else "")
        )
    if not on_page:
        parts.append(notes([result]).removeprefix("\n"))
    return "\n".join(parts)


def describe_runs(result: dict[str, Any], *, on_page: bool = False) -> str:
    """The data, seeds, time and commits of the runs in a line, and the command.

    Without what the page of all results says of all: that they are of the open benchmark, and the size.
    """
    data = {
        "human36m": "Human3.6M",
        "captured": f"Version {result.get('benchmark', 1)} of the open benchmark",
        "generated": "Generated motion",
    }[result["motion"]]
    networks = {"paper": "the paper's size", "small": "quick size", "full": "full size"}[result["size"]]
    about = "" if on_page and result["motion"] == "captured" else f"{data}, {networks}: "
    runs = [run for run in result["runs"] if not run["method"].endswith(GUIDED_SUFFIX)]
    planned = sum(result["planned"].values()) if "planned" in result else len(runs)
    missing = "" if planned == len(runs) else f"**{len(runs)} of {planned} runs are done.** "
    seeds = len({run["seed"] for run in runs})
    commits = ", ".join(sorted({str(run["commit"]) for run in runs}))
    minutes = sum(run["seconds"] for run in runs) / 60
    return (
        f"{missing}{about}{len(runs)} runs ({seeds} seed{'s' if seeds > 1 else ''}), "
        f"{minutes:.0f} minutes of training, commit {commits}.\n\n"
        f"```console\n{result['command']}\n```\n"
    )


def paper_table(result: dict[str, Any], artefact: Artefact, table: PaperTable) -> str:
    """Every column of a printed table as a row: its printed average, and ours where it runs here."""
    metric = "mpjpe" if table.protocol == 1 else "p_mpjpe"
    audited = {row.method: row for row in audit(table)}
    ours = {METHODS[key].paper_column: key for key in artefact.methods}
    lines = []
    for column in table.methods:
        row = audited[column]
        mark = "" if row.verdict == "matches" else f" ({row.mean:.2f})"
        key = ours.get(column)
        measured = "–" if key is None else mean_of_seeds(result, key, artefact.inputs[0], metric)
        remark = (NOT_RUN | REMARKS).get(column, "")
        lines.append([column.replace("Our", "SPGNet"), f"{row.printed:.1f}{mark}", measured, remark])
    header = [
        f"{table.name}, Protocol {table.protocol}",
        "paper, Human3.6M [mm]",
        f"{data_label(result)} [mm]",
        "",
    ]
    return markdown_table(header, lines, text=(0, 3))


def action_table(result: dict[str, Any], artefact: Artefact, table: PaperTable) -> str:
    """Mean over the seeds for every action and method; on Human3.6M with the printed figures before them."""
    metric = "mpjpe" if table.protocol == 1 else "p_mpjpe"
    keys = [key for key in artefact.methods if METHODS[key].paper_column in table.methods]
    measured = {key: _action_means(result, key, artefact.inputs[0], metric) for key in keys}
    keys = [key for key in keys if measured[key]]
    if not keys:
        return ""
    lines = []
    for action in _sort_actions(measured[keys[0]]):
        cells = []
        for key in keys:
            value = f"{measured[key][action]:.1f}"
            if result["motion"] == "human36m":
                printed = table.column(METHODS[key].paper_column or "")[ACTIONS.index(action)]
                value = f"{printed:.1f} / {value}"
            cells.append(value)
        lines.append([action, *cells])
    unit = "paper / here [mm]" if result["motion"] == "human36m" else "[mm]"
    label = f"{METRICS[metric].label} {unit}"
    return markdown_table([label, *(METHODS[key].name for key in keys)], lines, text=(0,))


def method_table(result: dict[str, Any], artefact: Artefact) -> str:
    """A line for every 2D input and method that has been run, and a column for every metric."""
    full = result["size"] == "full"
    lines = [
        [
            input_label(result, input_2d),
            method_label(key),
            *([str(len(seeds)), _validation(result, key, input_2d)] if full else []),
            *(mean_of_seeds(result, key, input_2d, metric) for metric in artefact.metrics),
        ]
        for input_2d in artefact.inputs
        for key in artefact.rows
        if (seeds := seed_scores(result, key, input_2d, "mpjpe"))
    ]
    more = ["seeds", "validation [mm]"] if full else []
    header = ["2D", "method", *more, *metric_headings(artefact.metrics)]
    return markdown_table(header, lines, text=(0, 1))


def _validation(result: dict[str, Any], method: str, input_2d: Input2D) -> str:
    """Mean of the seeds' MPJPE on the validation split in the best epoch, and half their range, as text."""
    runs = [run for run in result["runs"] if (run["method"], run["seen"]) == (method, input_2d)]
    best = [min(error for _, error in run["curve"]) for run in runs if run.get("curve")]
    return mean_and_spread(best) if best else "–"


def method_label(key: str) -> str:
    """The name of a method in our tables."""
    guided = key.endswith(GUIDED_SUFFIX)
    return METHODS[key.removesuffix(GUIDED_SUFFIX)].name + (", guided when lifted" if guided else "")


def test_table(result: dict[str, Any]) -> str:
    """The paired tests of a result, a line for each comparison, input and protocol."""
    lines = []
    for test in result["tests"]:
        too_few = "too few seeds" if test["p_seeds"] is None else "too few clips"
        judged = {True: "yes", False: "no", None: too_few}[test["significant"]]
        lines.append(
            [
                input_label(result, test["seen"]),
                f"{method_label(test['method'])} − {method_label(test['reference'])}",
                METRICS[test["metric"]].heading,
                f"{test['difference']:+.2f}",
                " ".join(f"{value:+.2f}" for value in test["of_seeds"]),
                f"{100 * test['better']:.0f}",
                _probability(test["p_clips"]),
                _probability(test["p_seeds"]),
                judged,
            ]
        )
    clips = max(test["clips"] for test in result["tests"])
    header = [
        "2D",
        "difference",
        "",
        "mean [mm]",
        "by seed [mm]",
        f"better on [% of {clips} clips]",
        "p, clips",
        "p, seeds",
        "significant",
    ]
    return markdown_table(header, lines, text=(0, 1, 2, 8))


def _probability(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def gradient_table(result: dict[str, Any]) -> str:
    """How the re-projection term's gradient lies to the others' at the first, middle and last epochs."""
    lines = []
    for run in result["runs"]:
        entries = run.get("gradients", [])
        for entry in [
            entries[index] for index in sorted({0, len(entries) // 2, len(entries) - 1}) if entries
        ]:
            values = [entry[part][name] for part in ("pose", "trajectory") for name in ("cosine", "ratio")]
            about = [input_label(result, run["seen"]), method_label(run["method"]), str(run["seed"])]
            lines.append([*about, str(entry["step"]), *(f"{value:.2f}" for value in values)])
    header = [
        "2D",
        "method",
        "seed",
        "step",
        "cosine to the pose term",
        "size by it",
        "cosine to the trajectory term",
        "size by it",
    ]
    return markdown_table(header, lines, text=(0, 1))


def input_label(result: dict[str, Any], input_2d: Input2D) -> str:
    """The name of a kind of 2D input on the data of a result."""
    if result["motion"] == "human36m":
        return INPUT_LABELS[input_2d]
    return {"detected": "noisy", "exact": "projected"}[input_2d]


def bone_table(bones: dict[str, Any]) -> str:
    """Length of every bone in the seven frames: lowest, highest, their difference, and the true mean."""
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
    return markdown_table(header, lines, text=(0,)) + f"\n{note}; the paper's are within {BONE_SPREAD} m.\n"


def occlusion_table(hidden: dict[str, Any]) -> str:
    """Error by the number of joints that the person's own body hides from the camera."""
    lines = [
        [count, f"{100 * share:.1f}", mean_and_spread([seed[count] for seed in hidden["mpjpe"]])]
        for count, share in hidden["shares"].items()
    ]
    header = ["hidden joints", "share of the frames [%]", "MPJPE (P1) [mm]"]
    occluded, visible = (
        mean_and_spread([seed[name] for seed in hidden["joints"]]) for name in ("hidden", "seen")
    )
    return markdown_table(header, lines, text=()) + (
        f"\nJoints are {occluded} mm off in frames where they are hidden, and the same joints {visible} mm "
        "where they are visible.\n"
    )


SIMULATED_DETECTOR_NOTE = """
The simulated detector's errors do not depend on what is hidden: this is how hard such poses are to lift,
not what a real detector's guesses cost.
"""


def data_label(result: dict[str, Any]) -> str:
    """The heading of our column: the data."""
    return "here, Human3.6M" if result["motion"] == "human36m" else f"here, {result['motion']} motion"


def seed_scores(result: dict[str, Any], method: str, input_2d: str, metric: str) -> list[float]:
    """The mean over the actions of each seed's run, without those where the metric has no value."""
    runs = [run for run in result["runs"] if (run["method"], run["seen"]) == (method, input_2d)]
    values = [run["evaluation"]["mean_over_actions"][metric] for run in runs]
    return [value for value in values if value is not None]


def mean_of_seeds(result: dict[str, Any], method: str, input_2d: str, metric: str) -> str:
    """Mean of a method's seeds and half their range, as text."""
    values = seed_scores(result, method, input_2d, metric)
    return mean_and_spread(values) if values else "–"


def _action_means(result: dict[str, Any], method: str, input_2d: str, metric: str) -> dict[str, float]:
    runs = [run for run in result["runs"] if (run["method"], run["seen"]) == (method, input_2d)]
    actions = [run["evaluation"]["actions"] for run in runs]
    if not actions:
        return {}
    return {action: mean(each[action][metric] for each in actions) for action in actions[0]}


def _sort_actions(actions: dict[str, float]) -> list[str]:
    """The order of the paper if all actions are the paper's, else the alphabetical one."""
    if set(actions) <= set(ACTIONS):
        return sorted(actions, key=ACTIONS.index)
    return sorted(actions)
