"""What the keys of the mask screen do."""

from __future__ import annotations

from typing import Final

from tui.actions.base import action

MASK: Final = (
    action("mask_paint", "space", "Paint", "Mask", "mask", "A dab of the brush; in a rectangle, fill it.",
            handler="paint", footer={"mask": "paint"}),
    action("mask_rectangle", "r", "Rectangle", "Mask", "mask", "One corner, and then the other.",
            handler="rectangle", footer={"mask": "rectangle"}),
    action("mask_erase", "x", "Paint, or erase", "Mask", "mask",
            "What brush and rectangle do; with a mouse the right button erases at any time.", handler="erase",
            footer={"mask": "erase"}),
    action("mask_smaller", "left_square_bracket", "Smaller brush", "Mask", "mask", handler="brush(-1)"),
    action("mask_larger", "right_square_bracket", "Larger brush", "Mask", "mask", handler="brush(1)"),
    action("mask_invert", "i", "Invert", "Mask", "mask", handler="invert"),
    action("mask_clear", "c", "Clear", "Mask", "mask", handler="clear"),
    action("mask_undo", "u ctrl+z", "Undo", "Mask", "mask", handler="undo"),
    action("mask_redo", "U ctrl+y", "Redo", "Mask", "mask", handler="redo"),
    action("mask_left", "left h", "Left", "Mask", "mask", handler="move(-1, 0)"),
    action("mask_right", "right l", "Right", "Mask", "mask", handler="move(1, 0)"),
    action("mask_up", "up k", "Up", "Mask", "mask", handler="move(0, -1)"),
    action("mask_down", "down j", "Down", "Mask", "mask", handler="move(0, 1)"),
    action("mask_far_left", "shift+left H", "Eight to the left", "Mask", "mask", handler="move(-8, 0)"),
    action("mask_far_right", "shift+right L", "Eight to the right", "Mask", "mask", handler="move(8, 0)"),
    action("mask_far_up", "shift+up K", "Eight up", "Mask", "mask", handler="move(0, -8)"),
    action("mask_far_down", "shift+down J", "Eight down", "Mask", "mask", handler="move(0, 8)"),
    action("mask_keep", "enter", "Keep the mask", "Mask", "mask",
            "The next images are repainted where it is painted; an empty one is taken away.", handler="keep",
            footer={"mask": "keep"}),
    action("mask_leave", "escape ctrl+c f10", "Leave", "Mask", "mask",
            "Everything stays as it was; asks if something was painted. In a rectangle, give that up.",
            handler="leave"),
)  # fmt: skip
