"""What each misprint of the paper's Algorithm 1 would cost, in pixels, on the cameras of Human3.6M.

Run ``python benchmarks/misprints.py``; it prints the tables of ``docs/paper.md``. The literal readings
live here and not in the package, which implements the algorithm as corrected.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from spgnet.geometry.camera import Camera
from spgnet.geometry.distortion import DISTORT
from spgnet.geometry.rigs import human36m_rig

Reading = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From normalised points, radial and tangential coefficients to distorted points."""


def corrected(xy: Tensor, radial: Tensor, tangential: Tensor) -> Tensor:
    return DISTORT["human36m"](xy, radial, tangential)


def algorithm_1(
    xy: Tensor,
    radial: Tensor,
    tangential: Tensor,
    *,
    line_4: Callable[[Tensor], Tensor] = lambda xy: (xy**2).sum(dim=-1, keepdim=True),
    line_6: Callable[[Tensor], Tensor] = lambda terms: 1 + terms.sum(dim=-1, keepdim=True),
) -> Tensor:
    """Lines 4 to 8, as corrected unless told otherwise."""
    r = line_4(xy)
    lean = (tangential * xy).sum(dim=-1, keepdim=True)
    return xy * (line_6(radial * torch.cat((r, r**2, r**3), dim=-1)) + lean) + tangential * r


def sum_of_coordinates(xy: Tensor) -> Tensor:
    return xy.sum(dim=-1, keepdim=True)


def radius(xy: Tensor) -> Tensor:
    return xy.norm(dim=-1, keepdim=True)


def sum_of_ones_and_terms(terms: Tensor) -> Tensor:
    return (1 + terms).sum(dim=-1, keepdim=True)


READINGS: dict[str, Reading] = {
    "line 4 as printed: r = x + y": lambda *a: algorithm_1(*a, line_4=sum_of_coordinates),
    "line 5 with the radius itself: r = sqrt(x² + y²)": lambda *a: algorithm_1(*a, line_4=radius),
    "line 6 as printed: R = Σ(1 + d_r · concat)": lambda *a: algorithm_1(*a, line_6=sum_of_ones_and_terms),
    "lines 4 and 6 as printed": lambda *a: algorithm_1(
        *a, line_4=sum_of_coordinates, line_6=sum_of_ones_and_terms
    ),
    "line 7 with OpenCV's factor 2, d_t = (p2, p1)": lambda xy, radial, tangential: DISTORT["opencv"](
        xy, radial, tangential.flip(-1)
    ),
    "lines 7 and 8 with d_t = (p1, p2)": lambda xy, radial, tangential: corrected(
        xy, radial, tangential.flip(-1)
    ),
    "OpenCV's model with d_t = (p1, p2)": DISTORT["opencv"],
    "no tangential distortion": lambda xy, radial, tangential: corrected(xy, radial, 0 * tangential),
    "no distortion": lambda xy, radial, tangential: xy,
    "line 3 left out (no clamp)": corrected,
}


def field_of_view(rig: Camera, steps: int = 41) -> Tensor:
    """Normalised points [camera, point, 2] whose projections cover the images evenly."""
    along = torch.linspace(0, 1, steps, dtype=rig.focal.dtype)
    grid = torch.cartesian_prod(along, along) * rig.image_size.unsqueeze(-2)
    return rig.image_to_rays(grid)


def standing_person(rig: Camera, height: float = 1.7, reach: float = 1.5) -> Tensor:
    """Normalised points [camera, point, 2] of a vertical stick at places up to ``reach`` from the origin.

    What a camera does not see is NaN.
    """
    along = torch.linspace(-reach, reach, 13, dtype=rig.focal.dtype)
    places = torch.cartesian_prod(along, along)
    places = places[places.norm(dim=-1) <= reach + 1e-9]
    heights = torch.linspace(0, height, 18, dtype=rig.focal.dtype)
    stick = torch.cat(
        (places.repeat_interleave(len(heights), dim=0), heights.repeat(len(places))[:, None]), dim=-1
    )
    points, pixels = rig.world_to_camera(stick), rig.world_to_image(stick)
    seen = ((pixels >= 0) & (pixels <= rig.image_size.unsqueeze(-2))).all(dim=-1, keepdim=True)
    return torch.where(seen, points[..., :2] / points[..., 2:], torch.nan)


def errors(rig: Camera, xy: Tensor, reading: Reading) -> Tensor:
    """Distance in pixels [camera, point] between a reading and the corrected algorithm."""
    radial, tangential = rig.radial.unsqueeze(-2), rig.tangential.unsqueeze(-2)
    wrong = reading(xy, radial, tangential)
    right = corrected(xy.clamp(-1, 1), radial, tangential)
    return ((wrong - right) * rig.focal.unsqueeze(-2)).norm(dim=-1)


def main() -> None:
    rig = human36m_rig("S1").to(torch.float64)
    for title, xy in (
        ("Over the field of view", field_of_view(rig)),
        ("Over a person of 1.7 m within 1.5 m of the origin", standing_person(rig)),
    ):
        assert float(errors(rig, xy, algorithm_1).nan_to_num().max()) < 1e-9, "the readings start elsewhere"
        print(f"{title}: mean / largest error in pixels\n")
        print("| Reading | " + " | ".join(f"camera {i}" for i in range(4)) + " |")
        print("|---|" + "---:|" * 4)
        for name, reading in READINGS.items():
            cells = (f"{e.nanmean():.2f} / {e[~e.isnan()].max():.2f}" for e in errors(rig, xy, reading))
            print(f"| {name} | " + " | ".join(cells) + " |")
        print()


if __name__ == "__main__":
    main()
