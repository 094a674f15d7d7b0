"""The part of the page below the button: the answer, its two branches, and what made it."""

from collections.abc import Mapping

import streamlit as st

from ui import words
from ui.charts import score_bars
from ui.client import Analysis, Answer
from ui.theme import colors


def show_answer(analysis: Analysis, answer: Answer, curl: str) -> None:
    """Draw the whole answer to `analysis`."""
    if answer.get("degraded"):
        st.warning(words.degraded(answer["degraded"]), icon=":material/report:")
    for warning in answer.get("warnings") or []:
        st.warning(warning, icon=":material/info:")
    _show_headline(analysis, answer)
    _show_charts(answer)
    _show_origin(answer)
    with st.expander("The same figures as a table"):
        _show_table(answer)
    with st.expander("The same request with curl"):
        if analysis.clip:
            recording = words.escaped(analysis.clip.name)
            st.markdown(f"Run it in the folder that holds the recording {recording}.")
            st.download_button(
                f"Download {recording}",
                analysis.clip.content,
                analysis.clip.name,
                analysis.clip.media_type,
                icon=":material/download:",
                on_click="ignore",
            )
        # Below the button: its colors come late and change its height, and a click on what moves
        # between a finger's down and up is lost.
        st.code(curl, language="bash", wrap_lines=True)
    with st.expander("The whole answer as JSON"):
        st.json(answer)


def _show_headline(analysis: Analysis, answer: Answer) -> None:
    title = f"{words.emotion_name(answer['top_emotion'])}, {words.percent(answer['confidence'])}"
    weights = {branch: ran["weights"] for branch, ran in answer["models"].items()}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(title, anchor=False, width="content")
        if mark := words.starter_mark(weights):
            st.badge(mark, icon=":material/warning:", color="yellow")
    st.markdown(f"{_first_up(words.lead(answer['all_scores']))}. Judged by {words.basis(answer)}.")
    given = [f"“{_shortened(analysis.text)}”"] if analysis.text else []
    given += [analysis.clip.name] if analysis.clip else []
    st.caption("Result for " + " and ".join(words.escaped(part) for part in given))


def _show_charts(answer: Answer) -> None:
    scores = parts(answer)
    order = _order(scores)
    for column, (title, values) in zip(st.columns(len(scores)), scores.items(), strict=True):
        with column, st.container(border=True):
            st.subheader(title, anchor=False)
            st.markdown(_top(values))
            st.altair_chart(score_bars(title, values, order, colors()), width="stretch")


def parts(answer: Answer) -> dict[str, Mapping[str, float]]:
    """Return the scores of every chart by its title, the fused ones first."""
    if answer["modality"] != "multimodal_fused":
        title = "Words" if "text" in answer["modality"] else "Voice"
        return {title: answer["all_scores"]}
    branches = answer["sub_results"]
    return {
        "Together": answer["all_scores"],
        "Words": branches["text"]["all_scores"],
        "Voice": branches["audio"]["all_scores"],
    }


def _show_origin(answer: Answer) -> None:
    models = [words.model(branch, ran) for branch, ran in answer["models"].items()]
    took = f"Answered in {answer['latency_ms']:.0f} ms"
    st.caption("  \n".join([*models, f"{took}. Number in the log: {answer['id']}"]))


def _show_table(answer: Answer) -> None:
    scores = parts(answer)
    order = _order(scores)
    columns: dict[str, list[str]] = {"Emotion": [words.emotion_name(e) for e in order]}
    for title, values in scores.items():
        columns[title] = [f"{values[e]:.2%}" if e in values else "not covered" for e in order]
    st.table(columns, hide_index=True)


def _order(scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return every emotion, most likely first by the first chart that has them all."""
    widest = max(scores.values(), key=lambda values: len(values))
    return list(widest)


def _top(values: Mapping[str, float]) -> str:
    emotion = max(values, key=lambda name: values[name])
    return f"**{words.emotion_name(emotion)}** {words.percent(values[emotion])}"


def _first_up(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _shortened(text: str, most: int = 120) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most] + "…"
