"""Drives JupyterLab in headless Chromium: opens 01_quickstart, runs all cells, and checks what a reader sees.

    make lab-test                              (needs Chromium; Debian: apt-get install chromium)
    make lab-test SCREENSHOT=docs/lab.png      writes the screenshot there

Checks that a progress bar and a growing curve show while cells run, that a table, a plot and an image grid are there at the
end, and that no cell ends in an error. A screenshot is left in runs/notebooks/lab.png. Without Chromium nothing is tested.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request

from playwright.sync_api import sync_playwright

CLONE = pathlib.Path(__file__).resolve().parent.parent
OUT = CLONE / "runs" / "notebooks"
LAB = OUT / "lab-test"
NOTEBOOK = "01_quickstart.ipynb"
PATIENCE = 600  # seconds for the whole notebook


def start_lab():
    """Starts JupyterLab on a free port, on a copy of the notebook, since it saves what it runs; returns the process, its address and token."""
    shutil.rmtree(LAB, ignore_errors=True)  # so that there is something to train
    LAB.mkdir(parents=True)
    for name in (NOTEBOOK, "short.yaml"):
        shutil.copy(CLONE / "notebooks" / name, LAB)
    command = [str(CLONE / ".venv/bin/jupyter"), "lab", "--no-browser", "--port=0", "--ServerApp.ip=127.0.0.1", "--LabApp.expose_app_in_browser=True",
               "--notebook-dir", str(LAB)]
    if os.geteuid() == 0:
        command.append("--allow-root")
    log = (OUT / "lab.log").open("w+")
    process = subprocess.Popen(command, stderr=log, stdout=log, env={**os.environ, "RD_NOTEBOOK_WORK": str(LAB / "work")})
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", (OUT / "lab.log").read_text()):
            return process, found[1], found[2]
        time.sleep(0.5)
    process.terminate()
    sys.exit(f"JupyterLab did not start; see {OUT / 'lab.log'}")


def busy(page):
    """Whether a cell is still waiting or running."""
    return page.evaluate("""() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some(p => p.textContent.includes('[*]'))""")


def drive(page, address, token):
    page.goto(f"{address}/lab/tree/{NOTEBOOK}?token={token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel", timeout=120_000)
    page.evaluate("""async () => {
        const context = window.jupyterapp.shell.currentWidget.sessionContext;
        await context.ready;
        await context.session.kernel.info;
    }""")
    time.sleep(3)
    for command in ("notebook:clear-all-cell-outputs", "notebook:run-all-cells"):
        page.evaluate("command => { window.jupyterapp.commands.execute(command) }", command)
    seen = set()
    deadline = time.monotonic() + PATIENCE
    time.sleep(2)
    while time.monotonic() < deadline:
        if page.query_selector(".jp-OutputArea progress"):
            seen.add("a progress bar")
        if page.query_selector(".jp-OutputArea .jp-RenderedHTMLCommon img[alt]"):
            seen.add("a growing curve")
        if not busy(page):
            break
        time.sleep(0.2)
    else:
        sys.exit(f"the notebook was not done after {PATIENCE} s")
    return seen


def checks(page, seen):
    """What is wrong, in words."""
    wrong = []
    for what in ("a progress bar", "a growing curve"):
        if what not in seen:
            wrong.append(f"{what} was never seen")
    outputs = page.evaluate("""() => ({
        errors: [...document.querySelectorAll(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'], .jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")].map(e => e.textContent),
        tables: document.querySelectorAll('.jp-OutputArea table tr').length,
        images: [...document.querySelectorAll('.jp-OutputArea .jp-RenderedImage img')].filter(i => i.naturalWidth > 100).length,
        unrun: [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].filter(p => !/\\[\\d+\\]/.test(p.textContent)).length,
    })""")
    if outputs["errors"]:
        wrong.append("a cell failed: " + outputs["errors"][0].strip())
    if outputs["tables"] < 3:
        wrong.append("there is no table of two students")
    if outputs["images"] < 4:
        wrong.append(f"{outputs['images']} images and plots are shown, not 4")
    if outputs["unrun"]:
        wrong.append(f"{outputs['unrun']} cells did not run")
    return wrong


def main():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("browser test: skipped, there is no Chromium here (Debian: apt-get install chromium)")
        return
    screenshot = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else OUT / "lab.png"
    OUT.mkdir(parents=True, exist_ok=True)
    server, address, token = start_lab()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            seen = drive(page, address, token)
            table = page.query_selector(".jp-OutputArea table")
            if news := page.query_selector(".Toastify button >> text='No'"):
                news.click()
            if table:  # with the curve above it
                page.evaluate("table => table.closest('.jp-Cell').previousElementSibling.scrollIntoView()", table)
                time.sleep(1)
            page.screenshot(path=str(screenshot))
            wrong = checks(page, seen)
            browser.close()
    finally:
        server.terminate()
        server.wait(30)
    for text in wrong:
        print("browser test:", text, file=sys.stderr)
    print(f"browser test: {'FAILED' if wrong else 'ok'}, {screenshot}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
