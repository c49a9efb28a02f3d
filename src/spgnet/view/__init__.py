"""How a motion is seen: a web page in one file, a live 3D view, and a drawing over the video."""
