"""Figures: everything that is drawn can be read, and says what the numbers are."""

import sys
from itertools import combinations, pairwise
from statistics import mean

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image, ImageStat

from spgnet.geometry.skeleton import HUMAN36M
from spgnet.reproduction.charts import (
    SERIES_COLORS,
    SIDE_COLORS,
    TRUTH_COLOR,
    ColumnPanel,
    CurvePanel,
    PosePanel,
    _separate_labels,
    bone_length_chart,
    column_chart,
    curve_chart,
    draw_rotated,
    new_figure,
    occlusion_chart,
    pose_panel_figure,
    save_figure,
)

PROTOCOLS = ("Protocol 1", "Protocol 2")
METHODS = ("Pavllo et al.", "Baseline*", "SPGNet")
ERRORS = (((80.4, 81.6), (79.0, 78.0), (77.5, 77.9)), ((66.0, 67.0), (65.5, 64.5), (63.0, 64.0)))


def columns() -> Figure:
    exact = tuple(tuple((seeds[0] - 20, seeds[1] - 21) for seeds in groups) for groups in ERRORS)
    panels = [
        ColumnPanel("2D: CPN", METHODS, PROTOCOLS, ERRORS),
        ColumnPanel("2D: exact", METHODS, PROTOCOLS, exact),
    ]
    return column_chart(panels, "error [mm]")


def bones() -> Figure:
    """Lengths as of a person: twins of almost one length, and several bones that end at the same."""
    lengths = {"hip": 0.13, "knee": 0.44, "ankle": 0.44, "shoulder": 0.15, "elbow": 0.28, "wrist": 0.25}
    person = [lengths.get(HUMAN36M.joint_types[child], 0.25) for _, child in HUMAN36M.bones]
    frames = [
        [length + 0.003 * ((bone + frame) % 4) for bone, length in enumerate(person)] for frame in range(7)
    ]
    return bone_length_chart(HUMAN36M.bone_names, frames, range(100, 800, 100), "SPGNet, S11, Walking")


def hidden() -> Figure:
    errors = [{count: 40.0 + 7 * count + seed * count for count in range(8)} for seed in range(3)]
    shares = {0: 0.3, 1: 0.2, 2: 0.15, 3: 0.12, 4: 0.1, 5: 0.08, 6: 0.04, 7: 0.01}
    return occlusion_chart(errors, shares, "MPJPE (P1) [mm]", "SPGNet, 1000 frames")


def panel(title: str = "Walking", covered: tuple[int, ...] = (3, 12, 13)) -> PosePanel:
    generator = torch.Generator().manual_seed(0)
    true = 0.4 * torch.randn(17, 3, generator=generator)
    true[0] = 0
    predicted = true + 0.05 * torch.randn(17, 3, generator=generator)
    mask = torch.zeros(17, dtype=torch.bool)
    mask[list(covered)] = True
    return PosePanel(title, 500 + 400 * true[:, :2], predicted - predicted[:1], true, mask, 46.0)


def panels() -> Figure:
    return pose_panel_figure([panel(f"Walking\n{number} hidden, 46 mm") for number in range(3)])


FIGURES = {"columns": columns, "bones": bones, "hidden": hidden, "panels": panels}


@pytest.fixture
def draw():
    """Draw a figure by its name, laid out as it is saved."""

    def drawing(name: str) -> Figure:
        figure = FIGURES[name]()
        figure.canvas.draw()
        return figure

    return drawing


def texts(figure: Figure) -> list[Text]:
    """Every visible text."""
    artists = figure.findobj(Text)
    return [text for text in artists if isinstance(text, Text) and text.get_text() and text.get_visible()]


def words(figure: Figure) -> set[str]:
    return {text.get_text() for text in texts(figure)}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("ending", [".png", ".pdf", ".svg"])
def test_a_figure_is_written_whole(tmp_path, name, ending):
    figure = FIGURES[name]()
    save_figure(figure, tmp_path / f"figure{ending}")
    assert [path.name for path in tmp_path.iterdir()] == [f"figure{ending}"]
    assert (tmp_path / f"figure{ending}").stat().st_size > 5000


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_not_blank_and_leaves_nothing_outside(tmp_path, name):
    save_figure(FIGURES[name](), tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as picture:
        grey = picture.convert("L")
        assert picture.size[0] > 700
        assert max(ImageStat.Stat(grey).stddev) > 10
        left, right = (
            grey.crop((0, 0, 2, grey.height)),
            grey.crop((grey.width - 2, 0, grey.width, grey.height)),
        )
        low, high = grey.crop((0, grey.height - 2, grey.width, grey.height)), grey.crop((0, 0, grey.width, 2))
        assert all(edge.getextrema() == (255, 255) for edge in (left, right, low, high))


def test_a_figure_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    figure = columns()
    with pytest.raises(ValueError, match="not supported"):
        save_figure(figure, tmp_path / "figure.xyz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_another_or_over_the_edge(draw, name):
    figure = draw(name)
    boxes = [
        (text.get_text(), Text.get_window_extent(text)) for text in texts(figure) if _is_shown(figure, text)
    ]
    assert len(boxes) > 10
    for (one, a), (two, b) in combinations(boxes, 2):
        assert not a.overlaps(b), f"{one!r} and {two!r}"
    for text, box in boxes:
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1, text
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1, text


def _is_shown(figure: Figure, text: Text) -> bool:
    """Whether a visible text is drawn: axes keep labels of ticks beyond their ends."""
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if text in (tick.label1, tick.label2):
                return low <= tick.get_loc() <= high
    return True


def test_column_charts_show_every_group_series_and_title(draw):
    figure = draw("columns")
    assert {*METHODS, *PROTOCOLS, "2D: CPN", "2D: exact", "error [mm]"} <= words(figure)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(PROTOCOLS)
    handles = [to_hex(patch.get_facecolor()) for patch in legend.get_patches()]
    assert handles == list(SERIES_COLORS[:2])


def test_columns_are_as_high_as_the_means_that_stand_on_them_and_begin_at_zero(draw):
    axes = draw("columns").axes[0]
    drawn = [bar for bars in axes.containers if hasattr(bars, "patches") for bar in bars.patches]
    means = [mean(seeds) for groups in ERRORS for seeds in groups]
    assert [bar.get_height() for bar in drawn] == pytest.approx(means)
    assert {bar.get_y() for bar in drawn} == {0}
    figures = [text for text in axes.texts if text.get_text()]
    assert [text.get_text() for text in figures] == [f"{value:.1f}" for value in means]
    for text, bar in zip(figures, drawn, strict=True):
        assert text.xy[0] == pytest.approx(bar.get_x() + bar.get_width() / 2)  # type: ignore[attr-defined]


def test_columns_of_a_group_stand_side_by_side_about_its_name(draw):
    axes = draw("columns").axes[0]
    bars = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in axes.patches)
    assert all(left[1] < right[0] for left, right in pairwise(bars))
    for group in range(3):
        inner = bars[2 * group : 2 * group + 2]
        assert mean(edge for bar in inner for edge in bar) == pytest.approx(group)


def test_a_bar_reaches_from_the_lowest_to_the_highest_seed(draw):
    axes = draw("columns").axes[0]
    (bars,) = (lines for lines in axes.collections[:1])
    reached = [tuple(segment[:, 1]) for segment in bars.get_segments()]
    assert reached == [pytest.approx((min(seeds), max(seeds))) for seeds in ERRORS[0]]


def test_all_panels_have_one_scale(draw):
    first, second = draw("columns").axes
    assert first.get_ylim() == second.get_ylim()


@pytest.mark.parametrize("order", [1, -1])
def test_the_end_of_every_curve_is_seen_in_panels_of_one_scale(order):
    panels = [
        CurvePanel("low", {"a": [[(1, 80.0), (2, 50.0)]], "b": [[(1, 70.0), (2, 45.0)]]}),
        CurvePanel("high", {"a": [[(1, 90.0), (2, 70.0)]]}),
    ][::order]
    for axes in curve_chart(panels, "steps", "mm").axes:
        assert axes.get_ylim() == pytest.approx((0.9 * 45, 2 * 45))
        assert len(axes.lines) == len(
            panels[[panel.title for panel in panels].index(axes.get_title())].curves
        )


def test_one_seed_is_a_column_without_a_bar():
    figure = column_chart([ColumnPanel("a", ("x",), ("y",), (((5.0,),),))], "mm")
    assert "5.0" in words(figure)
    assert not figure.axes[0].collections


def test_bone_length_charts_name_every_bone_in_the_colour_of_its_line(draw):
    axes = draw("bones").axes[0]
    assert len(axes.lines) == 16
    labels = {text.get_text(): text for text in axes.texts}
    assert set(labels) == {name.replace("_", " ") for name in HUMAN36M.bone_names}
    for (_, child), line in zip(HUMAN36M.bones, axes.lines, strict=True):
        label = labels[HUMAN36M.names[child].replace("_", " ")]
        assert label.get_color() == line.get_color() == SIDE_COLORS[HUMAN36M.side(child)]
        end = line.get_xydata()[-1]  # type: ignore[index]
        assert label.xy == pytest.approx(tuple(end))  # type: ignore[attr-defined]


def test_bone_names_stand_in_the_order_of_the_lines_ends(draw):
    axes = draw("bones").axes[0]
    heights = [text.get_window_extent().y0 for text in axes.texts]
    ends = [text.xy[1] for text in axes.texts]  # type: ignore[attr-defined]
    for a, b in combinations(range(16), 2):
        assert heights[a] < heights[b] if ends[a] < ends[b] - 1e-9 else True


def test_bone_length_charts_begin_at_zero_and_name_the_frames(draw):
    axes = draw("bones").axes[0]
    assert axes.get_ylim()[0] == 0
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(n) for n in range(100, 800, 100)]


positions = st.lists(st.floats(0, 1), min_size=1, max_size=20)


@settings(max_examples=100)
@given(positions=positions, gap=st.floats(0.001, 0.2))
def test_separated_labels_keep_their_order_and_their_distance(positions, gap):
    moved = _separate_labels(positions, gap)
    order = sorted(range(len(positions)), key=positions.__getitem__)
    assert all(moved[high] - moved[low] > gap - 1e-9 for low, high in pairwise(order))
    assert mean(moved) == pytest.approx(mean(positions), abs=1e-9)


@settings(max_examples=30)
@given(
    positions=st.lists(st.floats(0, 1), min_size=1, max_size=5),
    gap=st.floats(0.01, 0.3),
    seed=st.integers(0, 99),
)
def test_no_other_positions_with_the_distance_are_nearer_than_those_of_separated_labels(positions, gap, seed):
    """Against random positions of the same order and at least the same distance."""
    random = torch.Generator().manual_seed(seed)
    order = sorted(range(len(positions)), key=positions.__getitem__)
    best = sum((a - b) ** 2 for a, b in zip(_separate_labels(positions, gap), positions, strict=True))
    for _ in range(200):
        steps = gap + 0.1 * torch.rand(len(positions), generator=random).double() ** 3
        others = (steps.cumsum(0) + torch.randn((), generator=random).double() * 0.3).tolist()
        cost = sum((others[rank] - positions[number]) ** 2 for rank, number in enumerate(order))
        assert best <= cost + 1e-9


def test_positions_that_are_far_apart_are_not_moved():
    assert _separate_labels([0.5, 0.1, 0.3], 0.1) == pytest.approx([0.5, 0.1, 0.3])
    assert _separate_labels([0.2, 0.2], 0.1) == pytest.approx([0.15, 0.25])


def test_hidden_charts_show_the_mean_the_range_and_the_share_of_every_number(draw):
    axes = draw("hidden").axes[0]
    (line,) = axes.lines
    expected = [[count, 40 + 8 * count] for count in range(8)]
    assert line.get_xydata().tolist() == [pytest.approx(point) for point in expected]  # type: ignore[union-attr]
    corners = {tuple(corner) for corner in axes.collections[0].get_paths()[0].vertices.tolist()}  # type: ignore[union-attr]
    assert {(7.0, 89.0), (7.0, 103.0), (0.0, 40.0)} <= corners
    shares = [text.get_text() for text in axes.texts]
    assert shares == ["30 %", "20 %", "15 %", "12 %", "10 %", "8 %", "4 %", "1 %"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(count) for count in range(8)]
    assert {"SPGNet, 1000 frames", "MPJPE (P1) [mm]", "mean of the seeds"} <= words(axes.figure)


def test_hidden_charts_leave_out_the_numbers_that_have_no_share():
    figure = occlusion_chart([{0: 40.0, 2: 60.0}], {0: 0.9, 2: 0.1}, "mm", "a")
    assert figure.axes[0].lines[0].get_xdata().tolist() == [0, 2]  # type: ignore[union-attr]


def test_panels_have_a_row_for_each_frame_and_a_legend(draw):
    figure = draw("panels")
    assert len(figure.axes) == 12
    titles = {"2D input", "from the camera", "from 45° beside it", "from 90° beside it"}
    rows = {f"Walking\n{number} hidden, 46 mm" for number in range(3)}
    legend = {"truth", "lifted, left", "lifted, right", "lifted, middle", "hidden by the body"}
    assert titles | rows | legend <= words(figure)


def test_rings_are_around_the_hidden_joints_of_the_input():
    figure = pose_panel_figure([panel(covered=(3, 12)), panel(covered=())])
    rings, none = (figure.axes[row].collections[0] for row in (0, 4))
    assert torch.tensor(rings.get_offsets().tolist()).equal(panel().pixels[[3, 12]])  # type: ignore[union-attr]
    assert len(none.get_offsets()) == 0  # type: ignore[arg-type]


def test_every_bone_is_drawn_in_its_sides_colour_over_the_grey_truth(draw):
    image, front = draw("panels").axes[:2]
    sides = [SIDE_COLORS[HUMAN36M.side(child)] for _, child in HUMAN36M.bones]
    assert [line.get_color() for line in image.lines] == sides
    assert [line.get_color() for line in front.lines] == [TRUTH_COLOR] * 16 + sides


@pytest.mark.parametrize(("angle", "across"), [(0.0, (1, 0, 0)), (90.0, (0, 0, 1)), (180.0, (-1, 0, 0))])
def test_from_the_side_depth_is_drawn_as_width(angle, across):
    axes = new_figure(4.0, 4.0).subplots()
    shown = panel()
    draw_rotated(axes, shown, angle)
    for line, (parent, child) in zip(axes.lines[16:], HUMAN36M.bones, strict=True):
        ends = shown.predicted[[parent, child]]
        expected = torch.stack((ends @ torch.tensor(across, dtype=torch.float32), ends[:, 1]), dim=-1)
        torch.testing.assert_close(torch.tensor(line.get_xydata().tolist()), expected, atol=1e-5, rtol=0)
    assert axes.yaxis_inverted()


def test_a_joint_that_stands_out_is_still_in_the_frame(draw):
    for axes in draw("panels").axes:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        points = [point for line in axes.lines for point in line.get_xydata().tolist()]  # type: ignore[union-attr]
        assert all(left < x < right and high < y < low for x, y in points)


def test_colours_of_series_and_sides_are_all_different():
    colours = [to_hex(colour) for colour in (*SERIES_COLORS, *SIDE_COLORS.values(), TRUTH_COLOR)]
    assert len(set(colours)) == len(colours)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    for drawing in FIGURES.values():
        with pytest.raises(ValueError, match=r"pip install 'spgnet\[figures\]'"):
            drawing()
