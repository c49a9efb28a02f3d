"""Runs under a Python with OpenSim: reads marker files and follows them with a model.

``in_opensim.py REQUEST ANSWER``: both JSON. ``read`` lists TRC files; ``coordinates`` is a file of angles;
``follow`` is a TRC file, a model, a marker set and a folder for results; ``pose2sim`` is a TRC file and a
folder; ``c3d`` lists C3D files.
"""

import json
import re
import sys
from pathlib import Path


def main():
    request, answer = sys.argv[1:3]
    wanted = json.loads(Path(request).read_text())
    found = {}
    if "read" in wanted:
        found |= read(wanted["read"])
    if "coordinates" in wanted:
        found["coordinates"] = coordinates(wanted["coordinates"])
    if "follow" in wanted:
        found |= follow(**wanted["follow"])
    if "pose2sim" in wanted:
        found |= pose2sim(**wanted["pose2sim"])
    if "c3d" in wanted:
        found |= read_c3d(wanted["c3d"])
    Path(answer).write_text(json.dumps(found))


def opensim_with_log(log):
    import opensim

    opensim.Logger.setLevelString("Info")
    opensim.Logger.removeFileSink()
    opensim.Logger.addFileSink(str(log))
    return opensim


def read(paths):
    """Labels, rows and positions of TRC files, and their headers as OpenSim itself writes them."""
    import opensim

    opensim.Logger.setLevelString("Off")
    tables = []
    for path in paths:
        table = opensim.TimeSeriesTableVec3(path)
        labels = list(table.getColumnLabels())
        rows = [
            [[row[column].get(axis) for axis in range(3)] for column in range(len(labels))]
            for row in (table.getRowAtIndex(index) for index in range(table.getNumRows()))
        ]
        again = Path(path).with_suffix(".again.trc")
        opensim.TRCFileAdapter.write(table, str(again))
        tables.append(
            {
                "labels": labels,
                "times": list(table.getIndependentColumn()),
                "rows": rows,
                "header": again.read_text().split("\n")[:6],
            }
        )
    return {"opensim": opensim.GetVersion(), "tables": tables}


def coordinates(path):
    """The columns of a file of coordinates, in degrees where they are angles."""
    import opensim

    table = opensim.TimeSeriesTable(str(path))
    if table.getTableMetaDataString("inDegrees") != "yes":
        raise ValueError(f"{path} is not in degrees")
    labels = list(table.getColumnLabels())
    return {label: list(table.getDependentColumn(label).to_numpy()) for label in labels}


PAIRS = {
    "pelvis": ("right_hip", "left_hip"),
    "femur_r": ("right_hip", "right_knee"),
    "femur_l": ("left_hip", "left_knee"),
    "tibia_r": ("right_knee", "right_ankle"),
    "tibia_l": ("left_knee", "left_ankle"),
    "torso": ("pelvis", "thorax"),
    "head": ("thorax", "head_top"),
    "humerus_r": ("right_shoulder", "right_elbow"),
    "humerus_l": ("left_shoulder", "left_elbow"),
    "ulna_r": ("right_elbow", "right_wrist"),
    "ulna_l": ("left_elbow", "left_wrist"),
    "radius_r": ("right_elbow", "right_wrist"),
    "radius_l": ("left_elbow", "left_wrist"),
}
"""Markers between which each body of the model is measured."""


def follow(trc, markers, model, folder):
    """Scale a model with our marker set to a TRC file, and let it follow the markers."""
    folder = Path(folder)
    log = folder / "opensim.log"
    opensim = opensim_with_log(log)
    opensim.ModelVisualizer.addDirToGeometrySearchPaths(str(Path(model).parent / "Geometry"))
    body = opensim.Model(model)
    body.set_MarkerSet(opensim.MarkerSet(markers))
    body.initSystem()
    body.printToXML(str(folder / "model.osim"))
    scale(opensim, trc, folder)
    tool = opensim.InverseKinematicsTool()
    scaled = opensim.Model(str(folder / "scaled.osim"))
    scaled.initSystem()
    tool.setModel(scaled)
    tool.setMarkerDataFileName(trc)
    times = opensim.TimeSeriesTableVec3(trc).getIndependentColumn()
    tool.setStartTime(times[0])
    tool.setEndTime(times[-1])
    for name in opensim.TimeSeriesTableVec3(trc).getColumnLabels():
        task = opensim.IKMarkerTask()
        task.setName(name)
        task.setWeight(1)
        tool.getIKTaskSet().cloneAndAppend(task)
    tool.setOutputMotionFileName(str(folder / "motion.mot"))
    tool.run()
    return {
        "opensim": opensim.GetVersion(),
        "follow_rms_mm": rms_mm(log),
        "followed": coordinates(folder / "motion.mot"),
    }


def scale(opensim, trc, folder):
    tool = opensim.ScaleTool()
    tool.setPathToSubject("")
    tool.setSubjectMass(70)
    tool.getGenericModelMaker().setModelFileName(str(folder / "model.osim"))
    scaler = tool.getModelScaler()
    scaler.setApply(True)
    order = opensim.ArrayStr()
    order.append("measurements")
    scaler.setScalingOrder(order)
    scaler.setMarkerFileName(trc)
    times = opensim.TimeSeriesTableVec3(trc).getIndependentColumn()
    span = opensim.ArrayDouble()
    span.append(times[0])
    span.append(times[-1])
    scaler.setTimeRange(span)
    for body, (start, end) in PAIRS.items():
        measurement = opensim.Measurement()
        measurement.setName(body)
        measurement.setApply(True)
        measurement.getMarkerPairSet().cloneAndAppend(opensim.MarkerPair(start, end))
        whole = opensim.BodyScale()
        whole.setName(body)
        axes = opensim.ArrayStr()
        for axis in "XYZ":
            axes.append(axis)
        whole.setAxisNames(axes)
        measurement.getBodyScaleSet().cloneAndAppend(whole)
        scaler.addMeasurement(measurement)
    scaler.setOutputModelFileName(str(folder / "scaled.osim"))
    tool.getMarkerPlacer().setApply(False)
    tool.run()


def rms_mm(log):
    """Mean over the frames of the markers' RMS error, as OpenSim logs it."""
    values = [float(value) for value in re.findall(r"RMS = ([\d.e+-]+)", log.read_text())]
    return 1000 * sum(values) / len(values)


def pose2sim(trc, folder):
    """Read a TRC file with Pose2Sim's reader, and run its scaling and inverse kinematics (Halpe-26)."""
    from importlib.metadata import version

    log = Path(folder) / "pose2sim.log"
    opensim_with_log(log)
    from Pose2Sim.common import read_trc
    from Pose2Sim.kinematics import get_opensim_setup_dir, perform_IK, perform_scaling

    data, _, times, markers, header = read_trc(Path(trc))
    setup = get_opensim_setup_dir()
    perform_scaling(Path(trc), "HALPE_26", Path(folder), setup, use_simple_model=True)
    perform_IK(Path(trc), Path(folder), setup, "HALPE_26")
    return {
        "pose2sim": version("pose2sim"),
        "markers": markers,
        "shape": list(data.shape),
        "last_time": float(times.iloc[-1]),
        "header": header,
        "pose2sim_rms_mm": rms_mm(log),
    }


def read_c3d(paths):
    """Labels, positions and residuals of C3D files, as the package c3d reads them."""
    from importlib.metadata import version

    import c3d

    files = []
    for path in paths:
        with Path(path).open("rb") as handle:
            reader = c3d.Reader(handle)
            frames = [
                (points[:, :3].tolist(), points[:, 3].tolist()) for _, points, _ in reader.read_frames()
            ]
            labels = [label.strip() for label in reader.point_labels]
            rate = float(reader.point_rate)
            event = reader.get("EVENT")
            texts, times = {}, []
            if event is not None:
                for name in ("CONTEXTS", "LABELS"):
                    texts[name] = [text.strip() for text in event.get(name).string_array]
                times = [float(time) for time in event.get("TIMES").float_array.reshape(-1, 2)[:, 1]]
        files.append(
            {
                "labels": labels,
                "rate": rate,
                "events": {
                    "contexts": texts.get("CONTEXTS", []),
                    "labels": texts.get("LABELS", []),
                    "times": times,
                },
                "points": [points for points, _ in frames],
                "residuals": [residuals for _, residuals in frames],
            }
        )
    return {"c3d": version("c3d"), "files": files}


main()
