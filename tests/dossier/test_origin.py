"""The map and the tree of a library: who is named, and where names stand."""

from provenance.dossier.sections.origin import plots
from provenance.findings import LibraryMap, MapPoint, Merge


def point(name: str, x: float, y: float, role: str = "library") -> MapPoint:
    return MapPoint.model_validate({"name": name, "role": role, "x": x, "y": y})


def drawn(*points: MapPoint) -> LibraryMap:
    merges, last = [], 0
    for i in range(1, len(points)):
        merges.append(Merge(left=last, right=i, height=float(i), support=0.5))
        last = len(points) + i - 1
    return LibraryMap(points=points, merges=tuple(merges), explained=0.5, bootstrap=100)


def test_names_on_a_map_stand_where_they_hide_nothing():
    crowd = [point(f"crowded-{i}", 4 + 0.05 * i, 4) for i in range(6)]
    found = drawn(
        point("suspect", 0, 0, "suspect"),
        point("neighbour", 0, 1),
        *crowd,
        point("at-the-right-edge", 9, 9),
    )
    labels = [s.label for s in plots(found)[0].spots]
    assert labels[:2] == ["suspect", "neighbour"]
    # Only the last of a row has nobody to its right; the edge leaves no room either.
    assert labels[2:] == ["", "", "", "", "", "crowded-5", ""]


def test_long_names_are_cut_so_that_they_stay_apart():
    names = [f"Meta-Llama-3.1-{size}-Instruct-Turbo-2024" for size in ("8B", "70B", "405B")]
    names += ["short", "a-long-name-that-says-so-twice", "a-long-name-that-says-so-twice"]
    found = drawn(*(point(name, i, i) for i, name in enumerate(names)))
    labels = [s.label for s in plots(found)[1].spots if s.y and s.x > 0.4]
    assert "short" in labels
    assert all(len(label) <= 21 for label in labels)
    assert len(set(labels)) == len(labels) - 1  # two models share a name


def test_one_far_model_does_not_squeeze_the_others():
    near = [point(f"m{i}", i % 4, i // 4) for i in range(12)]
    spread = plots(drawn(*near))[0]
    far = plots(drawn(*near, point("far", 500, 1)))[0]
    width = [
        max(s.x for s in plot.spots[:12]) - min(s.x for s in plot.spots[:12])
        for plot in (spread, far)
    ]
    assert width[1] > 0.2
    assert far.spots[12].x == max(s.x for s in far.spots)
    assert "1 model lies beyond the edge at which it is drawn." in far.caption
    assert "beyond the edge" not in spread.caption
    flat = plots(drawn(*(point(f"m{i}", 0, i) for i in range(5))))[0]
    assert {s.x for s in flat.spots} == {0.5}
