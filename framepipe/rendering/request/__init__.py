"""Turn a user's request (a function, an animation, a script, a command; frames in any form) into a job."""

from framepipe.rendering.request.folder import store_of
from framepipe.rendering.request.opening import opened_job
from framepipe.rendering.request.request import Request, SceneLike

__all__ = ["Request", "SceneLike", "opened_job", "store_of"]
