"""What was measured, as rows, notes and a verdict."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from gantool.evaluation.gates import ALL, DISTANCES, SCORES, Thresholds
from gantool.runtime import files

HEADER = ("measure", "value", "floor", "ceiling", "reached", "verdict")
VERDICT = {True: "pass", False: "FAIL", None: "?"}
APART = 1.5  # points by which two judges' label accuracy may differ


def verdicts(limits: Thresholds, found: dict[str, Any], of: Container[str]) -> list[dict[str, Any]]:
    """Each threshold of these scores, and whether it is passed; None where its score could not be measured."""
    real, judged = found.get("ceiling", {}), [g for g in limits.thresholds if ALL in of or g.score in of]
    if "extractor" in found:  # thresholds are in the judge's units
        judged = [g for g in judged if g.score not in DISTANCES]
    return [{"score": g.score, "threshold": str(g), "passed": g.passes(found["scores"], real)} for g in judged]


def keep(path: Path, found: dict[str, Any]) -> None:
    files.write(path, json.dumps(found, indent=1) + "\n")


def rows(found: dict[str, Any]) -> list[tuple[str, ...]]:
    """Of each score: name, value, floor, ceiling, how far from one to the other, and its threshold's verdict."""
    made, judge = [], found.get("extractor", found.get("judge", "").partition(",")[0])
    labelled = DISTANCES if "extractor" in found else ("FD", "KID")  # of whom it is said who looked
    threshold: dict[str, str] = {}
    for g in found.get("thresholds", []):  # a score may have several
        threshold[g["score"]] = ", ".join(
            filter(None, (threshold.get(g["score"]), f"{VERDICT[g['passed']]} {g['threshold']}"))
        )
    for name, value in found["scores"].items():
        if name == "KID_spread":
            continue
        floor, best = (found.get(end, {}).get(name) for end in ("floor", "ceiling"))
        label = f"{name}[{judge}, {found['n']}, {found['split']}]" if name in labelled else name
        reached = ""
        if None not in (floor, best) and abs(floor - best) > 0.1 * abs(best):  # else nothing fails this measure
            share = (value - floor) / (best - floor)
            reached = f"{max(0, share):.0%}" if share <= 1 else ""  # beyond real images is no longer a share of the way
        numbers = ("" if v is None else f"{v:.4g}" for v in (value, floor, best))
        made.append((label, *numbers, reached, threshold.get(name, "")))
    return made


def made_by(found: dict[str, Any]) -> str:
    if "judge" not in found:
        return f"examples of {found['data']}, measured on {found['run']}"
    return f"samples of {found['run']}" if "run" in found else f"images of {found['images']}"


def notes(found: dict[str, Any]) -> list[str]:
    """What the columns are."""
    copied = "; of nearest_ratio, the training images themselves" if "nearest_ratio" in found["scores"] else ""
    ends = ["ceiling: other real images; reached: from floor to ceiling"] if "ceiling" in found else []
    if found.get("few"):
        ends.append(f"FD wants more images than {found['n']}; KID, which is fair to few, stands for it")
    own = [name for name in found["scores"] if name not in (*SCORES, "KID_spread", *found.get("ceiling", {}))]
    if own and found.get("split") == "train":
        ends.append(f"{', '.join(own)}: on what it was trained on; nothing is held out")
    return [f"floor: {found['floor_from']}{copied}", *ends, *disagreement(found["scores"])]


def disagreement(scores: dict[str, float]) -> list[str]:
    """A word where samples may please one judge alone."""
    if "second_judge" not in scores or "label_accuracy" not in scores:
        return []
    points = 100 * (scores["label_accuracy"] - scores["second_judge"])
    return [f"note: the two judges differ by {abs(points):.1f} points in label accuracy"] if abs(points) > APART else []


def verdict(found: dict[str, Any]) -> str:
    """All thresholds in a sentence; nothing where there are none."""
    if not (thresholds := found.get("thresholds", [])):
        return ""
    failed = [g["score"] for g in thresholds if g["passed"] is False]
    unknown = [f"{g['score']} {g['threshold']}" for g in thresholds if g["passed"] is None]
    passed = len(thresholds) - len(failed) - len(unknown)
    return (
        f"passes {passed} of {len(thresholds)} thresholds"
        + (f"; fails {', '.join(failed)}" if failed else "")
        + (f"; not measured: {', '.join(unknown)}" if unknown else "")
    )
