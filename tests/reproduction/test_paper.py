"""What the paper's printed numbers say about themselves."""

from statistics import correlation

import pytest

from spgnet.reproduction.paper import AuditedAverage, PaperTable, audit, paper_tables, references

TABLES = {(table.name, table.protocol): table for table in paper_tables()}
TABLE_1, TABLE_2 = TABLES["Table 1", 1], TABLES["Table 2", 2]
TABLE_3, TABLE_3_ALIGNED = TABLES["Table 3", 1], TABLES["Table 3", 2]


def _audited() -> dict[tuple[str, int, str], AuditedAverage]:
    return {(row.table, row.protocol, row.method): row for table in paper_tables() for row in audit(table)}


def _ranks(table: PaperTable, method: str) -> list[int]:
    """For each action, how many methods have a smaller printed error."""
    column = table.column(method)
    return [
        sum(other < own for other in row if other != own)
        for row, own in zip(table.values, column, strict=True)
    ]


def test_every_table_has_the_fifteen_actions_and_one_value_per_method() -> None:
    assert list(TABLES) == [("Table 1", 1), ("Table 2", 2), ("Table 3", 1), ("Table 3", 2)]
    for table in paper_tables():
        assert len(table.actions) == len(set(table.actions)) == len(table.values) == 15
        assert table.actions == TABLE_1.actions
        assert {len(row) for row in table.values} == {len(table.methods)} == {len(table.averages)}
        assert all(row in (*table.actions, "Avg") for row, _ in table.bold | table.underlined)
        assert all(method in table.methods for _, method in table.bold | table.underlined)


@pytest.mark.parametrize(
    ("name", "protocol", "source", "average"),
    [
        ("Table 1", 1, "CPN", 45.3),
        ("Table 2", 2, "CPN", 35.7),
        ("Table 3", 1, "ground truth", 33.4),
        ("Table 3", 2, "ground truth", 25.3),
    ],
)
def test_spgnets_averages_are_those_of_the_text(
    name: str, protocol: int, source: str, average: float
) -> None:
    table = TABLES[name, protocol]
    assert table.input == source
    assert table.averages[table.methods.index("Our")] == average == min(table.averages)


@pytest.mark.parametrize(
    ("name", "protocol", "method", "printed", "mean"),
    [
        ("Table 1", 1, "Yang [30]", 58.6, 57.96),
        ("Table 1", 1, "Xu [28]", 45.6, 45.29),
        ("Table 2", 2, "Yang [30]", 37.7, 37.00),
        ("Table 2", 2, "Liu [14]", 36.8, 36.35),
        ("Table 2", 2, "Xu [28]", 36.2, 36.09),
        ("Table 3", 1, "Our", 33.4, 33.25),
    ],
)
def test_six_printed_averages_differ_from_their_columns_by_more_than_rounding(
    name: str, protocol: int, method: str, printed: float, mean: float
) -> None:
    row = _audited()[name, protocol, method]
    assert (row.printed, round(row.mean, 2), row.verdict) == (printed, mean, "differs")


@pytest.mark.parametrize(
    ("name", "protocol", "method", "printed", "mean"),
    [
        ("Table 1", 1, "Cai [2]", 48.8, 48.75),
        ("Table 2", 2, "Lee [13]", 43.4, 43.47),
        ("Table 3", 1, "Hossain [7]", 39.2, 39.14),
    ],
)
def test_three_printed_averages_are_off_by_no_more_than_the_rounding_of_the_rows(
    name: str, protocol: int, method: str, printed: float, mean: float
) -> None:
    row = _audited()[name, protocol, method]
    assert (row.printed, round(row.mean, 2), row.verdict) == (printed, mean, "rounding")


def test_all_other_printed_averages_match_their_columns() -> None:
    others = [row for row in _audited().values() if row.verdict == "matches"]
    assert len(others) == len(_audited()) - 9 == 12
    for row in others:
        assert abs(row.printed - row.mean) <= 0.05 + 1e-9


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(45.25, "matches"), (45.24, "rounding"), (45.4, "rounding"), (45.41, "differs"), (45.19, "differs")],
)
def test_an_average_is_judged_by_half_a_printed_digit(mean: float, verdict: str) -> None:
    assert AuditedAverage("Table", 1, "Our", 45.3, mean).verdict == verdict


def test_the_lead_of_0_6_percent_over_xu_is_0_66_as_printed_and_0_02_mm_by_column_means() -> None:
    xu, ours = (TABLE_1.averages[TABLE_1.methods.index(m)] for m in ("Xu [28]", "Our"))
    assert round(100 * (xu - ours) / xu, 2) == 0.66
    means = TABLE_1.column_means()
    assert round(means["Xu [28]"] - means["Our"], 2) == 0.02


def test_the_lead_of_1_4_percent_in_protocol_2_is_as_printed() -> None:
    xu, ours = (TABLE_2.averages[TABLE_2.methods.index(m)] for m in ("Xu [28]", "Our"))
    assert round(100 * (xu - ours) / xu, 1) == 1.4


def test_the_lead_of_1_3_mm_over_liu_with_ground_truth_2d_is_as_printed() -> None:
    liu, ours = (TABLE_3.averages[TABLE_3.methods.index(m)] for m in ("Liu [14]", "Our"))
    assert round(liu - ours, 1) == 1.3


def test_spgnet_is_best_in_five_and_second_best_in_eight_actions_of_table_1() -> None:
    ranks = _ranks(TABLE_1, "Our")
    assert (ranks.count(0), ranks.count(1)) == (5, 8)


def test_table_1_marks_spgnet_best_in_seven_and_second_best_in_seven_actions() -> None:
    assert sum(method == "Our" and row != "Avg" for row, method in TABLE_1.bold) == 7
    assert sum(method == "Our" and row != "Avg" for row, method in TABLE_1.underlined) == 7


@pytest.mark.parametrize(
    ("name", "protocol", "rows"),
    [
        ("Table 1", 1, {"Photo", "Purch.", "Walk", "WalkT"}),
        ("Table 2", 2, set()),
        ("Table 3", 1, {"WalkD"}),
    ],
)
def test_bold_marks_the_smallest_error_except_in_five_rows(name: str, protocol: int, rows: set[str]) -> None:
    table = TABLES[name, protocol]
    smallest = {
        (action, method)
        for action, row in zip(table.actions, table.values, strict=True)
        for method, value in zip(table.methods, row, strict=True)
        if value == min(row)
    }
    marked = {(row, method) for row, method in table.bold if row != "Avg"}
    assert {row for row, _ in smallest ^ marked} == rows


def test_one_error_of_table_3_is_below_its_own_error_after_alignment() -> None:
    plain = dict(zip(TABLE_3.actions, TABLE_3.column("Our"), strict=True))
    aligned = dict(zip(TABLE_3_ALIGNED.actions, TABLE_3_ALIGNED.column("Our"), strict=True))
    assert (plain["SitD"], aligned["SitD"]) == (38.1, 38.9)
    assert [action for action in plain if plain[action] < aligned[action]] == ["SitD"]


def test_table_3_protocol_1_fits_protocol_2_once_photo_to_walkd_move_up_one_row() -> None:
    plain, aligned = list(TABLE_3.column("Our")), list(TABLE_3_ALIGNED.column("Our"))
    first, last = TABLE_3.actions.index("Photo"), TABLE_3.actions.index("WalkD")
    block = plain[first : last + 1]
    moved = [*plain[:first], *block[1:], block[0], *plain[last + 1 :]]
    untouched = [i for i in range(15) if not first <= i <= last]

    def ratios(errors: list[float]) -> list[float]:
        return [e / a for e, a in zip(errors, aligned, strict=True)]

    assert correlation(plain, aligned) < 0.7 < 0.95 < correlation(moved, aligned)
    assert max(ratios(plain)) > 1.7
    assert 1.1 < min(ratios(moved)) < max(ratios(moved)) <= max(ratios(plain)[i] for i in untouched) < 1.5


def test_the_error_at_27_frames_is_ambiguous_by_0_9_mm() -> None:
    at_243 = TABLE_1.averages[TABLE_1.methods.index("Our")]
    from_27_to_81, and_243 = 0.9, 1.8
    cumulative, stepwise = at_243 + and_243, at_243 + from_27_to_81 + and_243
    assert (round(cumulative, 1), round(stepwise, 1)) == (47.1, 48.0)


def test_the_reference_points_are_quoted_from_pavllo_et_al() -> None:
    quoted = {row.input: (row.protocol_1, row.protocol_2) for row in references()}
    assert quoted == {"CPN": (46.8, 36.5), "ground truth": (37.2, 27.2)}
    assert all("243 frames" in row.model and "quoted from Pavllo" in row.source for row in references())


def test_the_column_of_pavllo_et_al_is_not_the_reference_point() -> None:
    printed = [table.averages[table.methods.index("Pavlo [20]")] for table in (TABLE_1, TABLE_2)]
    (reference,) = (row for row in references() if row.input == "CPN")
    assert printed == [47.1, 36.8] != [reference.protocol_1, reference.protocol_2]
