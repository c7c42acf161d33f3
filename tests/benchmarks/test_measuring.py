"""How figures are made of what was measured."""

from math import inf, isnan

import pytest

from benchmarks.charts import Axis, Chart
from benchmarks.measuring import Case, Experiment, Plan, Sample, percentile, run

_PLAN = Plan(
    seconds=1,
    rounds=3,
    visitors=1,
    connections=(1,),
    campaigns=(1,),
    events=1,
    sessions=1,
    log_rows=1,
    steps=1,
    nodes=(1,),
)


@pytest.mark.parametrize(("percent", "expected"), [(50, 500), (90, 900), (99, 990), (99.9, 999), (100, 1000)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent: float, expected: int) -> None:
    assert percentile(range(1, 1001), percent) == expected


def test_a_percentile_of_few_values_is_one_of_them_and_of_none_is_none() -> None:
    assert percentile([7.0], 99.9) == 7.0
    assert percentile([1.0, inf], 50) == 1.0
    assert percentile([1.0, inf], 99) == inf
    assert isnan(percentile([], 50))


async def test_no_median_hides_what_went_wrong_in_one_round() -> None:
    faults = iter([0.0, 0.0, 3.0, 1.0])

    async def measure(_seconds: float) -> Sample:
        fault = next(faults)
        return Sample(calls=1, elapsed=1.0, latencies=[fault], extra={"errors": fault, "degraded": fault})

    case = Case(labels=("any",), measure=measure)
    experiment = Experiment(title="any", about="any", labels=("what",), columns=(), cases=[case])
    [row] = (await run(experiment, _PLAN, {}, lambda _step: None)).rows

    assert row.medians["errors"] == 4
    assert row.medians["degraded"] == row.medians["max"] == 3
    assert row.medians["p50"] == 1


async def test_cases_take_turns_and_their_medians_stand_beside_the_limit_of_the_same_round() -> None:
    order: list[str] = []
    speeds = {"limit": iter([1, 100, 200, 400]), "ours": iter([1, 50, 50, 300])}

    def case(name: str, limit: tuple[str] | None = None) -> Case:
        async def measure(seconds: float) -> Sample:
            order.append(name)
            return Sample(calls=next(speeds[name]), elapsed=1.0, latencies=[seconds])

        return Case(labels=(name,), measure=measure, limit=limit)

    chart = Chart(file="any", title="any", x=Axis(name="any", title="any"), panels=())
    cases = [case("limit"), case("ours", ("limit",))]
    experiment = Experiment(title="any", about="any", labels=("what",), columns=(), cases=cases, charts=[chart])
    table = await run(experiment, _PLAN, {"machine": "any"}, lambda _step: None)

    assert order == ["limit", "ours"] * 4
    assert [row.medians["per_second"] for row in table.rows] == [200, 50]
    assert table.rows[1].medians["of_limit"] == 0.5
    assert [numbers["of_limit"] for numbers in table.rows[1].rounds] == [0.5, 0.25, 0.75]
    assert table.facts == {"machine": "any"}
