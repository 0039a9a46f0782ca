"""The page of a report: what it holds, and what a real browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smle.evaluation.examples import choose_examples
from smle.evaluation.model_systems import ModelSystems
from smle.evaluation.pair_lists import read_conditions
from smle.evaluation.pairs import Matched, match_pairs, with_conditions
from smle.evaluation.run import EvaluationPlan, run_evaluation
from smle.evaluation.score_table import build_table
from smle.evaluation.scoring import PairScores, ScoringRule, SystemScores
from smle.tensors.checkpoint import save_model
from tests.conftest import RECIPE
from tests.models import mixture
from tests.scored_folders import make_folders

HOSTILE = "</script><script>document.title='broken'</script>"
WIDTHS = (400, 1600)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    """The page of a small evaluation of two tools and a model."""
    root = make_folders(tmp_path_factory.mktemp("page"), 1.0)
    systems = {"good": root / "good", "poor": root / "poor"}
    matched = match_pairs(systems, root / "clean", root / "noisy")
    pairs = with_conditions(matched.pairs, read_conditions(root / "conditions.csv"))
    broken = root / "broken.wav"
    broken.write_bytes(b"no audio")
    pairs = (*pairs[:-1], replace(pairs[-1], estimates={**pairs[-1].estimates, "poor": broken}))
    plan = EvaluationPlan(
        Matched(pairs, (Path("left over.wav"),)),
        ScoringRule(("si-sdr", "si-sdri", "lsd")),
        models=ModelSystems((str(model_folder),)),
        title=f"Two tools {HOSTILE}",
        examples=4,
    )
    run_evaluation(plan, report=root / "report")
    return root / "report" / "report.html"


def test_the_page_asks_for_nothing_from_elsewhere(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\"'\s]+", html)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(?:script|img|audio)[^>]+src=|<link[^>]+href=\"(?!data:,)", html)
    assert "@import" not in html
    assert "url(" not in html


def test_names_cannot_end_the_script(page: Path) -> None:
    html = page.read_text(encoding="utf-8")
    assert HOSTILE not in html
    data = re.search(r'id="report-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["title"] == f"Two tools {HOSTILE}"


def test_the_data_of_a_model_with_one_specialist_is_json(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    save_model(
        mixture(specialists=("one",)), RECIPE.replace('"one", "two", "three"', '"one"'), model
    )
    root = make_folders(tmp_path, 0.6)
    plan = EvaluationPlan(
        match_pairs({}, root / "clean", root / "noisy"),
        ScoringRule(("si-sdr",)),
        models=ModelSystems((str(model),)),
        examples=1,
    )
    run_evaluation(plan, report=tmp_path / "report")
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    data = re.search(r'id="report-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    [example] = json.loads(data[1], parse_constant=pytest.fail)["examples"]
    assert {s["margin"] for s in example["routing"]["routed"]["segments"]} == {0.0}


def test_examples_are_the_worst_the_best_and_some_between() -> None:
    scores = [
        PairScores(f"file{n:02}", 1.0, 16000, {}, {"tool": SystemScores({"si_sdr_db": float(n)})})
        for n in range(20)
    ]
    table = build_table(scores, ("si-sdr",), ("tool",))
    chosen = choose_examples(table, "tool", "si_sdr_db", 9)
    assert list(chosen)[:3] == ["file00", "file01", "file02"]
    assert list(chosen)[-3:] == ["file17", "file18", "file19"]
    assert (len(chosen), chosen["file00"], chosen["file19"]) == (9, "worst 1", "best 1")
    assert len(choose_examples(table, "tool", "si_sdr_db", 100)) == 20
    assert choose_examples(table, "tool", "si_sdr_db", 0) == {}
    nothing = replace(table, values=np.full_like(table.values, np.nan))
    assert choose_examples(nothing, "tool", "si_sdr_db", 3) == {}


@pytest.fixture(scope="module", params=WIDTHS)
def browser(
    request: pytest.FixtureRequest, page: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """A headless Chromium that shows the page; skipped where there is none."""
    pytest.importorskip("selenium")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    flags = (
        "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking "
        "disable-component-update disable-sync"
    )
    for flag in flags.split():
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    size = {"width": request.param, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(page.as_uri())
    wait_for(driver, "return document.getElementById('listen').dataset.ready")
    yield driver
    driver.quit()


def wait_for(driver: Any, script: str) -> Any:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := driver.execute_script(script):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came true: {script}")


@pytest.mark.slow
def test_the_page_opens_without_a_complaint_and_without_sideways_scrolling(browser: Any) -> None:
    assert browser.get_log("browser") == []
    assert browser.title == f"Two tools {HOSTILE}"
    root = "document.documentElement"
    assert browser.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.slow
def test_every_plot_is_drawn_within_its_frame(browser: Any) -> None:
    for plot in ("distribution", "by-condition", "paired", "complexity"):
        box, marks = browser.execute_script(
            "const svg = document.querySelector(`#${arguments[0]} svg`);"
            "return [svg.clientWidth - svg.parentElement.clientWidth,"
            " svg.querySelectorAll('circle').length];",
            plot,
        )
        assert box == 0
        assert marks >= 3
    assert browser.execute_script(
        "return [...document.querySelectorAll('.plot svg *')].every((mark) =>"
        " [...mark.attributes].every((one) => !one.value.includes('NaN')))"
    )


@pytest.mark.slow
def test_text_can_be_told_from_its_ground(browser: Any) -> None:
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility()"
        " && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 10


@pytest.mark.slow
def test_the_table_sorts_by_mouse_and_by_keyboard(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def means() -> list[float]:
        return browser.execute_script(
            "return [...document.querySelectorAll('#summary-table tbody tr')].map((row) =>"
            " parseFloat(row.children[1].firstChild.textContent.replace('\\u2212', '-')))"
        )

    head = browser.find_element(By.CSS_SELECTOR, "#summary-table th[data-key=si_sdr_db]")
    button = head.find_element(By.TAG_NAME, "button")
    button.click()
    assert means() == sorted(means(), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.ENTER)
    assert means() == sorted(means())
    assert head.get_attribute("aria-sort") == "ascending"
    lower = browser.find_element(By.CSS_SELECTOR, "#summary-table th[data-key=lsd_db]")
    lower.find_element(By.TAG_NAME, "button").click()
    assert lower.get_attribute("aria-sort") == "ascending"
    assert head.get_attribute("aria-sort") == "none"


@pytest.mark.slow
def test_sound_plays_switches_and_stops_by_keyboard(browser: Any) -> None:
    from selenium.webdriver.common.by import By

    def clock() -> float:
        return float(browser.find_element(By.ID, "clock").text.split("/")[0])

    def heard() -> str:
        return browser.execute_script(
            "return document.querySelector('#signals [aria-checked=true]').lastChild.textContent"
        )

    play = browser.find_element(By.ID, "play")
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", play
    )
    play.click()
    assert play.get_attribute("aria-label") == "Pause"
    wait_for(browser, "return parseFloat(document.getElementById('clock').textContent) > 0.1")
    assert heard() == "noisy"
    play.send_keys("2")
    assert heard() == "generalist"
    assert play.get_attribute("aria-label") == "Pause" or clock() >= 0.9
    wait_for(browser, "return document.getElementById('play').ariaLabel === 'Play'")
    assert clock() == 1.0
    play.send_keys("\ue012")
    assert clock() == 0.0


@pytest.mark.slow
def test_another_file_shows_its_signals_and_who_ran_when(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.select import Select

    select = Select(browser.find_element(By.ID, "example"))
    name = select.options[-1].get_attribute("value")
    select.select_by_value(name)
    wait_for(browser, f"return document.getElementById('listen').dataset.ready === '{name}'")
    labels = [track.text for track in browser.find_elements(By.CSS_SELECTOR, ".track header b")]
    assert labels[:5] == ["noisy", "generalist", "routed", "good", "poor"]
    assert "residual of routed" in labels
    experts = browser.find_element(By.CSS_SELECTOR, ".timeline").get_attribute("aria-label")
    assert experts.startswith("Experts over time: ")
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('.view canvas')].map((canvas) => new Set("
        "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size)"
    )
    assert min(drawn) > 50


@pytest.mark.slow
def test_everything_that_can_be_used_can_be_reached_by_tab(browser: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    browser.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    reached = set()
    for _ in range(120):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        place = browser.execute_script(
            "const one = document.activeElement;"
            "return one.id || one.closest('[id]')?.id || one.tagName"
        )
        reached.add(place)
    assert {"metric", "condition", "baseline", "cost", "play", "signals", "example"} <= reached
    assert {"summary-table", "by-condition", "condition-legend", "worst", "best"} <= reached
    assert browser.find_element(By.ID, "tip") is not None


@pytest.mark.slow
def test_what_was_left_out_is_listed(browser: Any) -> None:
    text = browser.execute_script("return document.getElementById('problems').textContent")
    assert "left over.wav" in text
    assert "si-sdr of poor: no score for 1 files" in text
