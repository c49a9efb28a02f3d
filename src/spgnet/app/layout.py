"""What is on the app's page: cards for the three steps and for earlier results."""

from __future__ import annotations

from html import escape
from typing import Any, get_args

from spgnet.app.config import AppConfig
from spgnet.app.markup import FOLDER_TIP, HEADER, TIPS, step_heading
from spgnet.export import RIG_NAMES
from spgnet.keypoints import KeypointSetName
from spgnet.limits import LARGEST_UPLOAD, LONGEST_UPLOAD, limit_factor

FOUND_BY_FILE = "Told by the file"
"""The choice of a keypoint set that is none."""
_TURNS = [
    ("Not turned", 0),
    ("A quarter turn clockwise", 90),
    ("Upside down", 180),
    ("A quarter turn counter-clockwise", 270),
]
_RIGS = {"spgnet": "spgnet's own", "mixamo": "Mixamo", "vrm": "VRM", "unreal": "Unreal Engine"}


class Layout:
    """The components of the page, made in the order in which they stand on it, in a ``gradio.Blocks``.

    Args:
        gradio: the module.
        config: of the app.
    """

    def __init__(self, gradio: Any, config: AppConfig) -> None:
        self.gr, self.config = gradio, config
        place = "the machine that serves this page" if config.public else "your computer"
        gradio.HTML(HEADER.format(place=place))
        self._lay_out_video()
        self.progress = gradio.HTML("", elem_id="progress")
        self.cancel = gradio.Button("Cancel", visible=False, elem_id="cancel")
        self._lay_out_people()
        self._lay_out_result()
        if not config.public:
            self._lay_out_folder()
        self._lay_out_earlier()

    def _lay_out_video(self) -> None:
        gr = self.gr
        with gr.Column(elem_id="step-video", elem_classes="card"):
            gr.HTML(step_heading(1, "Add your video"))
            with gr.Row():
                with gr.Column(scale=3, min_width=280):
                    self.files = gr.File(
                        label="Videos, or 2D keypoint files",
                        file_count="multiple",
                        height=190,
                        elem_id="files",
                    )
                    self.added = gr.CheckboxGroup(
                        label="Your files (untick one to leave it out)",
                        choices=[],
                        visible=False,
                        elem_id="added",
                    )
                with gr.Column(scale=2, min_width=240):
                    gr.HTML(TIPS)
                    gr.HTML(f'<p class="aside">{_limits()}</p>')
            self._lay_out_options()
            with gr.Row(elem_classes="actions"):
                self.start = gr.Button("Find the people", variant="primary", elem_id="start")
                self.example = gr.Button("Try the example", elem_id="example")

    def _lay_out_options(self) -> None:
        gr = self.gr
        with gr.Accordion("More options", open=False, elem_id="options"):
            with gr.Row():
                self.rotate = gr.Dropdown(
                    _TURNS,
                    value=0,
                    label="Turn the picture",
                    info="If people in it are upside down or on their side.",
                )
                self.fps = self._text_field(
                    "True frame rate",
                    info="For slow motion: the frames per second of the camera, such as 240.",
                )
            with gr.Row():
                self.camera = gr.File(
                    label="Camera file (calibration)", file_count="single", height=160, elem_id="camera"
                )
                with gr.Column():
                    self.camera_name = self._text_field(
                        "Name of the camera", info="If the camera file has several."
                    )
                    self.field_of_view = self._text_field(
                        "Field of view", info="Degrees across the longer side, if there is no camera file."
                    )
            with gr.Row():
                self.keypoint_set = gr.Dropdown(
                    [FOUND_BY_FILE, *get_args(KeypointSetName)],
                    value=FOUND_BY_FILE,
                    label="Keypoint set",
                    info="Of a keypoint file that does not tell.",
                )
                self.image_size = self._text_field(
                    "Size of the picture", info="Of a keypoint file that does not tell, such as 1920 x 1080."
                )

    def _lay_out_folder(self) -> None:
        gr = self.gr
        with gr.Accordion("Many videos at once", open=False, elem_id="step-folder", elem_classes="card"):
            gr.HTML(f'<p class="aside">{FOLDER_TIP}</p>')
            with gr.Row():
                self.folder = self._text_field(
                    "Folder on this computer",
                    placeholder="/home/me/videos, or C:\\Users\\me\\Videos",
                    scale=3,
                    min_width=260,
                    elem_id="folder",
                )
                self.folder_person = gr.Dropdown(
                    [("The largest person", "largest"), ("Everybody", "all")],
                    value="largest",
                    label="Who",
                )
                self.folder_rig = self._rig_dropdown()
            with gr.Row(elem_classes="actions"):
                self.start_folder = gr.Button("Make the 3D motion of all", elem_id="start-folder")

    def _text_field(self, label: str, **options: Any) -> Any:
        """A field for one line of text."""
        return self.gr.Textbox(label=label, max_lines=1, **options)

    def _rig_dropdown(self, **options: Any) -> Any:
        return self.gr.Dropdown(
            [(_RIGS[name], name) for name in RIG_NAMES],
            value="spgnet",
            label="Skeleton of the files for animation",
            **options,
        )

    def _lay_out_people(self) -> None:
        gr = self.gr
        with gr.Column(visible=False, elem_id="step-people", elem_classes="card") as self.step_people:
            gr.HTML(step_heading(2, "Choose the person"))
            self.people = gr.HTML("", elem_id="people")
            self.chosen = gr.Textbox(visible=False)
            with gr.Row():
                self.height = self._text_field(
                    "Height of the person, if you know it",
                    info="It gives true metres. Such as 1.78 m, 178 cm or 5'10\"",
                    placeholder="not known",
                    elem_id="height",
                )
                self.rig = self._rig_dropdown(info="The one that your character has.", elem_id="rig")
            with gr.Row(elem_classes="actions"):
                self.make = gr.Button("Make the 3D motion", variant="primary", elem_id="make")

    def _lay_out_result(self) -> None:
        gr = self.gr
        with gr.Column(visible=False, elem_id="step-result", elem_classes="card") as self.step_result:
            gr.HTML(step_heading(3, "Look at it, and take it with you"))
            self.which = gr.Radio(label="Result", choices=[], visible=False, elem_id="which")
            self.summary = gr.HTML("", elem_id="summary")
            with gr.Tabs():
                with gr.Tab("3D motion"):
                    self.stage = gr.HTML("", elem_id="stage")
                with gr.Tab("Overlay"):
                    self.overlay = gr.HTML("", elem_id="overlay")
                with gr.Tab("Download"):
                    self.downloads = gr.HTML("", elem_id="downloads")

    def _lay_out_earlier(self) -> None:
        gr = self.gr
        if self.config.public:
            kept = "They are removed when you close this page: download what you want to keep."
        else:
            kept = f"They are kept in the folder <code>{escape(str(self.config.out.resolve()))}</code>"
        with gr.Column(visible=False, elem_id="earlier", elem_classes="card") as self.earlier:
            gr.HTML('<h2 class="step">Earlier results</h2>')
            gr.HTML(f'<p class="aside">{kept}</p>')
            with gr.Row():
                self.recent = gr.Dropdown(
                    label="Result", choices=[], value=None, scale=4, min_width=260, elem_id="recent"
                )
                self.open = gr.Button("Open", min_width=100, elem_id="open")

    @property
    def options(self) -> list[Any]:
        """The components under *More options*, in the order of the arguments of ``clip_options``."""
        return [
            self.rotate,
            self.fps,
            self.camera,
            self.camera_name,
            self.field_of_view,
            self.keypoint_set,
            self.image_size,
        ]

    @property
    def buttons(self) -> list[Any]:
        """What starts something, and must not while something is being done."""
        folder = [] if self.config.public else [self.start_folder]
        return [self.start, self.example, self.make, self.open, *folder]

    @property
    def results(self) -> list[Any]:
        """What shows a result."""
        return [self.which, self.summary, self.stage, self.overlay, self.downloads, self.step_result]

    @property
    def recents(self) -> list[Any]:
        """What lists the earlier results."""
        return [self.recent, self.earlier]


def _limits() -> str:
    factor = limit_factor()
    raised = "" if factor > 1 else " (the environment variable SPGNET_LIMIT_FACTOR raises them)"
    return (
        f"Each file may have up to {factor * LARGEST_UPLOAD / 2**30:g} GB and last up to "
        f"{factor * LONGEST_UPLOAD / 60:g} minutes{raised}. Several are handled one after another."
    )
