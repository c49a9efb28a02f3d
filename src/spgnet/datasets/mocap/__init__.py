"""Anyone's own motion capture: BVH files, ASF/AMC files and motion archives in a folder, as clips."""

from spgnet.datasets.mocap.folder import check_mocap_folder, is_mocap_folder, load_mocap_folder

__all__ = ["check_mocap_folder", "is_mocap_folder", "load_mocap_folder"]
