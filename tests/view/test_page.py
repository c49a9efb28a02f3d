"""The page: what lies in the file, and what a browser makes of it."""

import base64
import errno
import itertools
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import check_access, chromium, difference, seen
from filmed import people

import spgnet.view
from spgnet.errors import InputError
from spgnet.geometry.camera import opencv_camera
from spgnet.geometry.distortion import DISTORT
from spgnet.lifting.motion import Motion
from spgnet.lifting.quality import Quality
from spgnet.video import Frame, FrameSource
from spgnet.view.opacity import joint_opacity
from spgnet.view.page import ImageBudget, _camera, check_same_clip, video_images, write_page

TITLE = 'Walk <script>document.title = "taken"</script> & {{data}}'


def embedded(path: Path, name: str):
    text = path.read_text(encoding="utf-8")
    return json.loads(
        re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)[0]
    )


def unpacked(text: str, columns: int) -> np.ndarray:
    rows = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i4").reshape(-1, columns)
    return rows.astype(np.int64).cumsum(axis=0)


def grey_images(count: int, size=(360, 640)):
    rng = np.random.default_rng(0)
    return [(i / 30, rng.integers(0, 255, (*size, 3), dtype=np.uint8)) for i in range(count)]


def test_the_embedded_data_are_the_motion_to_a_millimetre(tmp_path):
    motions = people(2)
    write_page(tmp_path / "page.html", motions)
    data = embedded(tmp_path / "page.html", "motion-data")
    np.testing.assert_allclose(unpacked(data["times"], 1)[:, 0] / 1e4, np.arange(60) / 30, atol=1e-4)
    for motion, person in zip(motions, data["people"], strict=True):
        world = unpacked(person["joints"], 51).reshape(-1, 17, 3) / 1e3
        assert np.linalg.norm(world - motion.world, axis=-1).max() < 1e-3
        pixels = unpacked(person["pixels"], 34).reshape(-1, 17, 2) / 10
        np.testing.assert_allclose(pixels, motion.pixels, atol=0.051)
        np.testing.assert_allclose(unpacked(person["confidence"], 17) / 100, motion.confidence, atol=0.0051)
    assert len(data["cameras"]) == 1
    np.testing.assert_allclose(data["cameras"][0]["position"], motions[0].camera.position, atol=1e-6)


def uncertain(motion: Motion) -> Motion:
    """The motion with an uncertain distance and with an uncertain left arm."""
    uncertainty = np.full((len(motion), 17), 0.03, np.float32)
    uncertainty[:, 0] = np.linspace(0.1, 0.3, len(motion))
    uncertainty[:, 11:14] = 0.3
    return replace(motion, uncertainty=uncertainty)


def test_the_embedded_uncertainties_are_the_motions_to_a_millimetre(tmp_path):
    first, second = people(2)
    write_page(tmp_path / "page.html", [first, uncertain(second)])
    without, given = embedded(tmp_path / "page.html", "motion-data")["people"]
    assert without["uncertainty"] is None
    found = unpacked(given["uncertainty"], 17) / 1e3
    np.testing.assert_allclose(found, uncertain(second).uncertainty, rtol=0, atol=0.00051)


@pytest.mark.parametrize("late", [36000.0, 1.8e9], ids=["hours", "since 1970"])
def test_far_places_and_late_times_are_kept(tmp_path, late):
    motion = people()[0]
    far = replace(motion, joints=motion.joints + np.float32([0, 0, 200]), timestamps=motion.timestamps + late)
    write_page(tmp_path / "page.html", [far])
    data = embedded(tmp_path / "page.html", "motion-data")
    world = unpacked(data["people"][0]["joints"], 51).reshape(-1, 17, 3) / 1e3
    assert np.abs(world - far.world).max() < 1e-3
    times = data["start"] + unpacked(data["times"], 1)[:, 0] / 1e4
    np.testing.assert_allclose(times, far.timestamps, rtol=0, atol=1e-4)


def test_a_page_that_cannot_be_written_leaves_the_old_one_alone(tmp_path):
    path = tmp_path / "page.html"
    write_page(path, people())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="no motion"):
        write_page(path, [])

    def failing():
        yield grey_images(1)[0]
        raise OSError("the disk of the video is gone")

    with pytest.raises(OSError, match="gone"):
        write_page(path, people(), images=failing())
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.html"]


def test_a_full_disk_leaves_the_old_page_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("the old one")

    def full(self: Path, text: str, **_: str) -> None:
        self.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left") as error:
        write_page(path, people())
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_images_are_thinned_evenly_until_they_fit(tmp_path):
    path = tmp_path / "page.html"
    write_page(path, people(), images=grey_images(60), budget=ImageBudget(size=320, megabytes=0.5))
    times, pictures = embedded(path, "motion-data")["images"], embedded(path, "picture-data")
    assert len(times) == len(pictures) > 3
    assert sum(map(len, pictures)) <= 0.5e6
    np.testing.assert_allclose(np.diff(times), np.diff(times)[0], atol=1e-3)
    assert times[-1] > 1.5
    jpeg = pytest.importorskip("cv2").imdecode(np.frombuffer(base64.b64decode(pictures[0]), np.uint8), 1)
    assert jpeg.shape == (180, 320, 3)


def test_images_keep_their_colours(tmp_path):
    red = np.zeros((90, 160, 3), np.uint8)
    red[..., 0] = 200
    write_page(tmp_path / "page.html", people(), images=[(0.0, red)])
    jpeg = base64.b64decode(embedded(tmp_path / "page.html", "picture-data")[0])
    blue, green, back = pytest.importorskip("cv2").imdecode(np.frombuffer(jpeg, np.uint8), 1)[45, 80]
    assert back > 180
    assert max(blue, green) < 25


class Film(FrameSource):
    """Black pictures at a constant rate."""

    name = "a film"

    def __init__(self, frames: int, fps: float = 30.0, size: tuple[int, int] = (1280, 720)) -> None:
        self.times, self.image_size = np.arange(frames) / fps, size

    def __iter__(self):
        image = np.zeros((*self.image_size[::-1], 3), np.uint8)
        return (Frame(image, time) for time in self.times.tolist())


def test_images_are_those_around_the_time_of_all_people():
    first, second = people(2)
    later = [replace(motion, timestamps=motion.timestamps + 5) for motion in (first, second)]
    times = [time for time, image in video_images(Film(600), [later[1], later[0]])]
    assert times[0] == pytest.approx(4)
    assert times[-1] == pytest.approx(8, abs=0.05)
    np.testing.assert_allclose(np.diff(times), 1 / 30)


@pytest.mark.parametrize("size", [(720, 1280), (640, 480), (1280, 740)])
def test_a_video_of_another_shape_than_the_camera_is_refused(size):
    with pytest.raises(InputError, match=rf"a film: .* {size[0]} x {size[1]} .* 1280 x 720"):
        check_same_clip(Film(3, size=size), people())


def test_a_smaller_copy_of_the_video_with_rounded_sides_will_do():
    check_same_clip(Film(3, size=(426, 240)), people())


def test_no_string_of_a_motion_can_end_the_script_that_holds_it(tmp_path):
    motion = replace(people()[0], weights="</script><b>", camera_source="<!--<script>&")
    write_page(tmp_path / "page.html", [motion], title=TITLE)
    data = embedded(tmp_path / "page.html", "motion-data")
    assert (data["people"][0]["weights"], data["cameras"][0]["source"]) == ("</script><b>", "<!--<script>&")
    assert data["title"] == TITLE


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "walk.html"
    write_page(path, people(2), title=TITLE, images=grey_images(60, (90, 160)))
    return path


@pytest.fixture
def open_page(browser, path):
    """Opens the page without a network; fails if it asked for one, or complained."""
    asked, complaints, contexts = [], [], []

    def opened(file=path, **options):
        context = browser.new_context(**({"viewport": {"width": 1100, "height": 640}} | options))
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_selector("body[data-ready=true]", timeout=10_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


STILL = {"reduced_motion": "reduce"}


def test_the_page_shows_a_body_that_moves_when_it_is_scrubbed(open_page):
    page = open_page(**STILL)
    scene = page.locator("#scene")
    assert page.evaluate("[spgnet.frame, spgnet.frames, spgnet.playing]") == [0, 60, False]
    first = seen(scene)
    assert first.std() > 5
    page.locator("#scrub").fill("25")
    assert page.evaluate("spgnet.frame") == 25
    page.wait_for_timeout(100)
    assert 0.002 < difference(first, seen(scene)) < 0.5
    assert page.locator("body").get_attribute("data-frame") == "25"
    assert page.locator("#clock").inner_text() == "00:00.83 / 00:01.97"


def test_a_clip_that_does_not_begin_at_zero_has_its_own_times(open_page, tmp_path):
    motion = people()[0]
    write_page(tmp_path / "late.html", [replace(motion, timestamps=motion.timestamps + 62.5)])
    page = open_page(tmp_path / "late.html", **STILL)
    page.evaluate("spgnet.seek(30)")
    assert page.locator("#clock").inner_text() == "01:03.50 / 01:04.47"


def test_nothing_lies_over_the_lower_part_of_the_view(open_page):
    for size in ({"width": 1100, "height": 640}, {"width": 390, "height": 700}):
        page = open_page(**STILL, viewport=size)
        boxes = [page.locator(each).bounding_box() for each in ("#scene", ".legend", ".transport")]
        for upper, lower in itertools.pairwise(boxes):
            assert upper["y"] + upper["height"] <= lower["y"] + 0.5


def test_a_title_with_markup_is_text(open_page):
    page = open_page(**STILL)
    assert page.title() == TITLE
    assert page.locator("h1").inner_text() == TITLE


def wait_until(page, expression: str) -> None:
    """Wait for the page; asked from outside, because its own policy forbids evaluating strings."""
    for _ in range(400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {expression}")


def test_it_plays_at_once_and_stops_at_a_key(open_page):
    page = open_page()
    wait_until(page, "spgnet.playing && spgnet.frame > 5")
    page.keyboard.press("Space")
    wait_until(page, "!spgnet.playing")
    frame = page.evaluate("spgnet.frame")
    page.wait_for_timeout(150)
    assert page.evaluate("[spgnet.frame, spgnet.playing]") == [frame, False]
    assert page.locator("#play").get_attribute("aria-label") == "Play"


def test_keys_step_through_frames_and_change_the_view(open_page):
    page = open_page(**STILL)
    for key, frame in (
        ("ArrowRight", 1),
        ("Shift+ArrowRight", 31),
        ("ArrowLeft", 30),
        ("End", 59),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert page.evaluate("spgnet.frame") == frame
    views = [seen(page.locator("#scene"))]
    for key in ("1", "2", "3", "4"):
        page.keyboard.press(key)
        page.wait_for_timeout(120)
        views.append(seen(page.locator("#scene")))
        assert difference(views[-2], views[-1]) > 0.01
    page.keyboard.press("0")
    page.wait_for_timeout(120)
    assert difference(views[0], seen(page.locator("#scene"))) < 0.001


def test_dragging_orbits_and_the_wheel_zooms(open_page):
    page = open_page(**STILL)
    scene = page.locator("#scene")
    before = seen(scene)
    page.mouse.move(400, 300)
    page.mouse.down()
    page.mouse.move(480, 320, steps=3)
    page.mouse.up()
    page.wait_for_timeout(100)
    turned = seen(scene)
    assert difference(before, turned) > 0.01
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(100)
    assert difference(turned, seen(scene)) > 0.01


def test_the_lens_of_the_page_is_that_of_the_motion(open_page):
    page = open_page(**STILL)
    page.evaluate("spgnet.seek(30)")
    page.wait_for_timeout(100)
    distance = float(page.locator("#error").inner_text().split()[0])
    assert distance < 0.6, "pixels are exact projections, and kept to 0.1; joints are kept to 1 mm"


LENSES = (
    [0.0] * 5,
    [-0.28, 0.09, 0.001, -0.002, -0.01],
    [0.12, -0.05, -0.003, 0.002, 0.02],
    [0.3, 0.1, 1e-3, -2e-3, 0.03, 0.4, 0.2, 0.02],
    [0.08, -0.02, 0.004, -0.001],
)
"""k1, k2, p1, p2, k3: none, a barrel, a pincushion; a rational model; k1 to k4 of a fisheye."""


@pytest.fixture(scope="module")
def lens_script(browser):
    """Calls the page's own functions: a JavaScript expression of ``camera`` and ``points`` gives JSON."""
    folder = Path(spgnet.view.__file__).parent
    functions = "\n".join((folder / name).read_text() for name in ("page_data.js", "page_lens.js"))
    page = browser.new_page()
    yield lambda expression, camera, points: page.evaluate(
        f"({{ camera, points }}) => {{ {functions}; return {expression}; }}",
        {"camera": camera, "points": points.tolist()},
    )
    page.close()


def test_the_opacities_of_the_page_are_those_of_the_overlay(lens_script):
    values = np.linspace(0, 0.6, 17 * 60, dtype=np.float32).reshape(60, 17)
    motion = replace(people()[0], confidence=np.flip(values).copy(), uncertainty=None)
    for person in (motion, replace(motion, uncertainty=values / 2)):
        numbers = {"count": 17} | {
            name: None if array is None else array.ravel().tolist()
            for name, array in (("confidence", person.confidence), ("uncertainty", person.uncertainty))
        }
        places = np.stack(np.meshgrid(np.arange(60), np.arange(17), indexing="ij"), axis=-1).reshape(-1, 2)
        found = lens_script(
            "points.map(([frame, joint]) => jointOpacity(camera, frame, joint))", numbers, places
        )
        np.testing.assert_allclose(np.reshape(found, (60, 17)), joint_opacity(person), atol=1e-6)


@pytest.mark.parametrize("calibrated", [True, False])
def test_the_band_of_the_height_is_how_far_an_error_of_the_distance_moves_it(lens_script, calibrated):
    """A longer distance stretches the motion away from the camera; a floor found from it moves along."""
    motion, floor, error = people()[0], -0.2, 0.1
    eye = motion.camera.position.numpy()
    world = motion.world[:, 0] + [0, 0, 0.4]
    distances = np.linalg.norm(world - eye, axis=-1)
    stretched = eye + (world - eye) * (1 + error / distances)[:, None]
    moved = 0 if calibrated else (floor - eye[2]) * error / distances
    expected = np.abs(stretched[:, 2] - world[:, 2] - moved)
    page = {
        "floor": floor,
        "person": {
            "frameAt": list(range(len(motion))),
            "count": 17,
            "joints": np.repeat(world[:, None], 17, axis=1).ravel().tolist(),
            "uncertainty": [error] * 17 * len(motion),
            "camera": {"position": eye.tolist(), "calibrated": calibrated},
        },
    }
    moments = np.arange(len(motion))
    found = lens_script("points.map((moment) => heightError(camera, camera.person, moment))", page, moments)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    page["person"]["uncertainty"] = None
    nothing = lens_script("points.map((moment) => heightError(camera, camera.person, moment))", page, moments)
    assert set(nothing) == {None}


@pytest.mark.parametrize("distortion", LENSES)
def test_the_lens_of_the_page_is_that_of_geometry(lens_script, distortion):
    camera = opencv_camera(
        [[1100, 0, 650], [0, 1090, 340], [0, 0, 1]],
        distortion,
        (1280, 720),
        rotation=people()[0].camera.rotation,
        position=torch.tensor([3.0, -5.0, 1.6]),
        fisheye=len(distortion) == 4,
    ).to(torch.float64)
    described = _camera(replace(people()[0], camera=camera))
    x, y = np.meshgrid(np.linspace(-0.55, 0.55, 9), np.linspace(-0.3, 0.3, 7))
    rays = torch.from_numpy(np.stack((x.ravel(), y.ravel()), axis=-1))
    distorted = lens_script("points.map(lensDistortion(camera))", described, rays)
    lens = camera.radial.round(decimals=7), camera.tangential.round(decimals=7)  # as the page has them
    np.testing.assert_allclose(distorted, DISTORT[camera.convention](rays, *lens).numpy(), atol=1e-9)
    depths = torch.linspace(0.5, 9, len(rays), dtype=torch.float64)[:, None]
    world = camera.camera_to_world(torch.cat((rays, torch.ones_like(depths)), dim=-1) * depths)
    pixels = lens_script("points.map((p) => cameraView(camera).project(p))", described, world)
    np.testing.assert_allclose(np.array(pixels)[:, :2], camera.world_to_image(world).numpy(), atol=1e-3)
    np.testing.assert_allclose(np.array(pixels)[:, 2:], depths.numpy(), atol=1e-6)


@pytest.mark.parametrize("distortion", LENSES)
def test_the_lens_of_the_page_does_not_fold_and_shows_nothing_behind_it(lens_script, distortion):
    camera = opencv_camera(
        [[1100, 0, 640], [0, 1090, 360], [0, 0, 1]], distortion, (1280, 720), fisheye=len(distortion) == 4
    )
    described = _camera(replace(people()[0], camera=camera))
    outward = np.linspace(0, 20, 200)[:, None] * np.array([0.8, 0.6])
    radii = np.linalg.norm(lens_script("points.map(lensDistortion(camera))", described, outward), axis=-1)
    assert (np.diff(radii) > 0).all()
    behind = camera.camera_to_world(torch.tensor([[0.1, 0.1, -2.0], [0.0, 0.0, 0.01]]))
    assert lens_script("points.map((p) => cameraView(camera).project(p))", described, behind) == [None, None]


def test_an_uncertain_motion_has_faint_limbs_and_bands_in_the_charts_and_says_what_they_are(
    open_page, tmp_path
):
    motion = people()[0]
    pages = []
    for name, shown in (("certain", motion), ("uncertain", uncertain(motion))):
        write_page(tmp_path / f"{name}.html", [shown])
        page = open_page(tmp_path / f"{name}.html", **STILL)
        page.evaluate("spgnet.seek(30)")
        page.wait_for_timeout(100)
        pages.append(page)
    certain, unsure = pages
    assert difference(seen(certain.locator("#scene")), seen(unsure.locator("#scene"))) > 0.003
    notes = [page.locator("#faint-note").inner_text() for page in pages]
    assert notes == ["faint: not seen", "faint: not seen, or uncertain by over 5 cm"]
    assert [page.locator("#band-note").is_visible() for page in pages] == [False, True]
    for index, name in enumerate(
        ("Knee flexion", "Pelvis height", "Distance from the camera", "Pelvis speed")
    ):
        chart = [page.locator(".chart").nth(index) for page in pages]
        assert name in chart[1].inner_text()
        banded = index < 3
        assert "±" not in chart[0].inner_text()
        assert ("±" in chart[1].inner_text()) == banded
        shares = [(seen(one.locator("canvas")) < 225).any(axis=-1).mean() for one in chart]
        assert (shares[1] > (1.2 if index == 0 else 2) * shares[0]) == banded  # knees are less uncertain
    assert "± 0.20 m" in unsure.locator(".chart").nth(2).inner_text()


def test_the_embedded_angles_are_the_motions_to_a_tenth_of_a_degree(tmp_path):
    motion = people()[0]
    write_page(tmp_path / "page.html", [motion])
    data = embedded(tmp_path / "page.html", "motion-data")
    angles = motion.joint_angles()
    found = unpacked(data["people"][0]["angles"], len(angles))
    true = np.stack(list(angles.values()), axis=1)
    assert np.isnan(true).any()
    np.testing.assert_allclose(np.where(found == -32768, np.nan, found / 10), true, rtol=0, atol=0.051)
    assert data["people"][0]["angle_errors"] is None
    write_page(tmp_path / "page.html", [uncertain(motion)])
    packed = embedded(tmp_path / "page.html", "motion-data")["people"][0]["angle_errors"]
    errors = np.stack(list(uncertain(motion).joint_angle_uncertainty().values()), axis=1)
    found = unpacked(packed, len(angles))
    np.testing.assert_allclose(np.where(found == -32768, np.nan, found / 10), errors, rtol=0, atol=0.051)
    charts = {chart["name"]: chart["columns"] for chart in data["angles"]}
    assert next(iter(charts)) == "Knee flexion"
    assert sorted(column for columns in charts.values() for column in columns.values()) == list(
        range(len(angles))
    )
    for name, column in (("Hip flexion", "left_hip_flexion"), ("Elbow flexion", "left_elbow_flexion")):
        assert list(angles)[charts[name]["left"]] == column
    assert charts["Pelvis list"] == {"middle": list(angles).index("pelvis_list")}


def test_the_joint_angle_that_is_charted_is_chosen_and_its_values_are_the_motions(open_page, tmp_path):
    motion = people()[0]
    write_page(tmp_path / "page.html", [motion])
    page = open_page(tmp_path / "page.html", **STILL)
    page.evaluate("spgnet.seek(30)")
    chart, angles = page.locator(".chart").first, motion.joint_angles()

    def shown() -> list[str]:
        page.wait_for_timeout(100)
        return chart.locator(".value").all_inner_texts()

    def text(name: str) -> str:
        value = angles[name][30]
        return "–" if np.isnan(value) else f"{round(value)}°"

    choice = chart.get_by_label("Joint angle")
    assert choice.input_value() == "Knee flexion"
    before = seen(chart.locator("canvas"))
    for name in ("knee_flexion", "hip_adduction", "shoulder_flexion", "hip_rotation", "pelvis_list"):
        label = name.replace("_", " ").capitalize()
        choice.select_option(label)
        columns = [column for column in (f"left_{name}", f"right_{name}", name) if column in angles]
        assert shown() == [text(column) for column in columns]
        assert chart.locator("canvas").get_attribute("aria-label") == f"{label} over time"
    assert difference(before, seen(chart.locator("canvas"))) > 0.003


def test_the_page_says_what_is_wrong_in_plain_words_and_nothing_if_nothing_is(open_page, tmp_path):
    right = Quality(1.0, 1.0, 0.02, 0.03, None, 1.7, 1.1, 5.0, 1.0, 0.05)
    wrong = replace(right, faults=("upside_down", "hips_never_seen"))
    unknown, fine, turned = (
        replace(one, quality=q) for one, q in zip(people(3), (None, right, wrong), strict=True)
    )
    write_page(tmp_path / "good.html", [unknown, fine])
    write_page(tmp_path / "one.html", [turned])
    write_page(tmp_path / "several.html", [fine, turned])
    assert not open_page(tmp_path / "good.html", **STILL).locator("#warnings-card").is_visible()
    for name, start in (("one", "the person is upside down"), ("several", "Person 3: the person is upside")):
        lines = open_page(tmp_path / f"{name}.html", **STILL).locator("#warnings li").all_inner_texts()
        assert len(lines) == 2
        assert lines[0].startswith(start)


def test_people_are_listed_and_can_be_hidden(open_page):
    page = open_page(**STILL)
    page.evaluate("spgnet.seek(30)")
    page.wait_for_timeout(100)
    both = seen(page.locator("#scene"))
    page.get_by_label("Show person 2").uncheck()
    page.wait_for_timeout(100)
    assert difference(both, seen(page.locator("#scene"))) > 0.003
    facts = page.locator("#facts").inner_text()
    assert all(word in facts for word in ("a calibration", "some weights", "30 fps", "metres"))


@pytest.fixture(scope="module")
def full_page(tmp_path_factory) -> Path:
    """A page with all that a page can have: people, warnings, uncertainty, images, and feet on the floor."""
    right = Quality(1.0, 1.0, 0.02, 0.03, None, 1.7, 1.1, 5.0, 1.0, 0.05, faults=("upside_down",))
    contact = np.arange(60) % 20 < 12
    first, second = people(2)
    first = replace(uncertain(first), quality=right, foot_contact=np.stack((contact, ~contact), axis=1))
    path = tmp_path_factory.mktemp("full") / "walk.html"
    write_page(path, [first, second], title="Walk", images=grey_images(3, (90, 160)))
    return path


@pytest.mark.parametrize("size", [(400, 800), (1280, 800)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_enough_contrast_and_room(open_page, full_page, size, scheme):
    viewport = {"width": size[0], "height": size[1]}
    page = open_page(full_page, viewport=viewport, color_scheme=scheme, bypass_csp=True, **STILL)
    page.get_by_role("button", name="another joint angle").click()
    check_access(page, target_size=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#help-open").click()
    check_access(page, target_size=True)


def test_the_keyboard_reaches_every_control_and_shows_where_it_is(open_page, full_page):
    page = open_page(full_page, **STILL)
    controls = "[...document.querySelectorAll('button, select, input, #scene')]"
    visible = f"{controls}.filter((control) => control.offsetParent).length"
    reached = set()
    for _ in range(page.evaluate(visible) + 2):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(f"{controls}.indexOf(document.activeElement)"))
        style = "(({ outlineStyle, outlineWidth }) => [outlineStyle, outlineWidth])"
        outline = page.evaluate(f"{style}(getComputedStyle(document.activeElement))")
        assert outline == ["solid", "2px"] or page.evaluate("document.activeElement === document.body")
    assert len(reached - {-1}) == page.evaluate(visible)


def test_keys_of_one_character_can_be_kept_to_the_3d_view(open_page):
    page = open_page(**STILL)

    def followed_after_a_key() -> bool:
        before = page.locator("[data-toggle=follow]").get_attribute("aria-pressed")
        page.keyboard.press("f")
        return page.locator("[data-toggle=follow]").get_attribute("aria-pressed") != before

    assert followed_after_a_key()
    page.keyboard.press("?")
    page.get_by_label("Keys of one character").uncheck()
    page.get_by_role("button", name="Close").click()
    assert not followed_after_a_key()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("spgnet.frame") == 1
    page.locator("#scene").focus()
    assert followed_after_a_key()
    page.reload()
    page.wait_for_selector("body[data-ready=true]")
    assert not followed_after_a_key(), "the choice is remembered"


def test_charts_of_joint_angles_are_added_and_removed(open_page):
    page = open_page(**STILL)
    add = page.get_by_role("button", name="another joint angle")
    before = page.locator(".chart").count()
    add.click()
    add.click()
    chosen = [choice.input_value() for choice in page.get_by_label("Joint angle").all()]
    assert len(set(chosen)) == 3
    page.get_by_label("Joint angle").nth(2).select_option("Elbow flexion")
    page.get_by_role("button", name="Remove this chart").first.click()
    assert [choice.input_value() for choice in page.get_by_label("Joint angle").all()] == [
        "Knee flexion",
        "Elbow flexion",
    ]
    assert page.locator(".chart").count() == before + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_obeys_the_colour_scheme(open_page, scheme):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    page = open_page(color_scheme=scheme, **phone, **STILL)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in ("#scene", "#play", "#scrub", "#speed"):
        box = page.locator(control).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["y"] + box["height"] <= 740
    shown = seen(page.locator("#scene"))
    assert shown.std() > 5
    assert (np.median(shown) > 128) == (scheme == "light")
