"""Tests of the notebooks where they are run: parameters, two executions, a cell that is stopped, a machine that lacks something.

    make notebooks-test
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import nbformat
import psutil
from jupyter_client.manager import KernelManager

import notebooks

PATIENCE = 300  # seconds for a cell
TRAINING = "## Train the student"  # the heading above the cell of 01_quickstart that is stopped


def committed(name):
    return nbformat.read(notebooks.FOLDER / name, as_version=4)


def shown(notebook):
    """All text that a notebook shows."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return "\n".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs)


class Parameters(unittest.TestCase):
    def setUp(self):
        self.notebook = nbformat.v4.new_notebook(cells=[
            nbformat.v4.new_markdown_cell("# A title"),
            nbformat.v4.new_code_cell('var (\n\tProfile = "quick" // "ci" // or so\n\tSeed uint64 = 1\n\tRate = 0.5\n\tCount = 3\n\tFast = false\n)',
                                      metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("%%"),
        ])

    def refused(self, *given):
        with self.assertRaises(SystemExit) as refusal:
            notebooks.inject(self.notebook, [given], "a.ipynb")
        return refusal.exception.code

    def test_added_behind_their_cell(self):
        given = [("profile", 'a "b"\\c', False), ("SEED", "2", False), ("rate", "1", False), ("fast", "True", False), ("Count", "-4", False)]
        notebooks.inject(self.notebook, given, "a.ipynb")
        notebooks.inject(self.notebook, given[:2], "a.ipynb")  # as papermill: in place of the first
        self.assertEqual([c.metadata.get("tags") for c in self.notebook.cells], [None, ["parameters"], ["injected-parameters"], None])
        self.assertEqual(self.notebook.cells[2].source,
                         '// parameters given on the command line\nvar (\n\tProfile string = "a \\"b\\"\\\\c"\n\tSeed uint64 = 2\n)')

    def test_types_stay(self):
        notebooks.inject(self.notebook, [("rate", "1", False), ("fast", "True", False), ("count", "-4", False), ("profile", "7", True)], "a.ipynb")
        self.assertEqual(self.notebook.cells[2].source.splitlines()[2:-1],
                         ["\tRate float64 = 1", "\tFast bool = true", "\tCount int = -4", '\tProfile string = "7"'])

    def test_refused(self):
        self.assertEqual(self.refused("sede", "2", False), "a.ipynb has no parameter sede: did you mean Seed? There are Profile, Seed, Rate, Count, Fast")
        self.assertEqual(self.refused("seed", "two", False), "Seed takes a whole number of 0 or more, not 'two'")
        self.assertEqual(self.refused("seed", "-2", False), "Seed takes a whole number of 0 or more, not '-2'")
        self.assertEqual(self.refused("count", "2.5", False), "Count takes a whole number, not '2.5'")
        self.assertEqual(self.refused("rate", "fast", False), "Rate takes a number, not 'fast'")
        self.assertEqual(self.refused("fast", "1", False), "Fast takes true or false, not '1'")
        self.assertEqual(self.refused("seed", "2", True), "Seed takes a whole number of 0 or more, and -r gives a text: use -p")
        self.notebook.cells[1].metadata = {}
        self.assertEqual(self.refused("seed", "2", False), "a.ipynb has no cell tagged parameters")

    def test_every_notebook_has_them(self):
        for path in sorted(notebooks.FOLDER.glob("*.ipynb")):
            tagged = [c for c in committed(path).cells if "parameters" in c.metadata.get("tags", [])]
            self.assertEqual([c.cell_type for c in tagged], ["code"], path.name)
            _, found = notebooks.parameters(committed(path))
            declared = [line for line in tagged[0].source.splitlines() if "=" in line]
            self.assertEqual(len(found), len(declared), path.name)  # none is overlooked


class Execution(unittest.TestCase):
    """Notebooks on a folder of one's own, with another seed: the example's images, without the mark of phantoms."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        images = cls.folder / "my images"
        subprocess.run([notebooks.CLONE / "bin/rd", "phantom", "--kind", "btc", "--per-class", "15", "--size", "40", "--out", images], check=True, stdout=subprocess.DEVNULL)
        (images / "PHANTOM.json").unlink()
        cls.given = ["-p", "data", images, "-p", "profile", "ci", "-p", "seed", "2"]

    def execute(self, name, out, *options):
        done = subprocess.run([sys.executable, notebooks.CLONE / "tools/notebooks.py", name, "--out", self.folder / out, *self.given, *options],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return (self.folder / out / name).read_text(encoding="utf-8")

    def test_twice_the_same(self):
        first, second = self.execute("01_quickstart.ipynb", "first"), self.execute("01_quickstart.ipynb", "second")
        self.assertEqual(first, second)
        self.assertEqual((self.folder / "first/01_quickstart.html").read_text(), (self.folder / "second/01_quickstart.html").read_text())
        self.assertIn("my images: 4 classes, 48 train + 4 val + 8 test images, split seed 2", shown(nbformat.reads(first, 4)))

    def test_another_student(self):
        text = shown(nbformat.reads(self.execute("05_your_own.ipynb", "first", "--resume", "-p", "student", "mobilenet"), 4))
        self.assertIn("# mobilenet_v2, trained on my images by rd", text)
        self.assertIn("seed 2", text)
        self.assertIn("classes [glioma_tumor meningioma_tumor no_tumor pituitary_tumor]", text)
        self.assertNotIn("Its training images are phantoms", text)


class Kernel:
    """A kernel that runs cells of a notebook one by one, watched by a reader unless headless."""

    def __init__(self, work, folder=notebooks.FOLDER, **environment):
        self.manager = KernelManager(kernel_name="gonb")
        self.manager.start_kernel(cwd=str(folder), env={**os.environ, "RD_NOTEBOOK_WORK": str(work), **environment})
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, source, stop=None, at=None):
        """Runs a cell; returns whether it was fine and all that it showed. stop is called when progress has come to step at."""
        text, stopped = [], False

        def hook(message):
            nonlocal stopped
            content = message["content"]
            text.append(content.get("text", "") + str(content.get("data", {}).get("text/html", "")) + "\n".join(content.get("traceback", [])))
            progress = re.search(r'<progress value="(\d+)"', text[-1])
            if stop and not stopped and progress and int(progress[1]) >= at:
                stopped = True
                stop()
        reply = self.client.execute_interactive(source, output_hook=hook, timeout=PATIENCE, allow_stdin=False)
        return reply["content"]["status"] == "ok", "".join(text)

    def pid(self):
        return self.manager.provisioner.pid

    def children(self):
        return psutil.Process(self.pid()).children(recursive=True)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


class Gone(Exception):
    """Raised to stop waiting for a cell whose kernel is gone."""


class Stopped(unittest.TestCase):
    """A cell that trains is stopped in different ways: no process stays, and the cell run again ends as an undisturbed one."""

    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.work)
        code = [c for c in committed("01_quickstart.ipynb").cells]
        place = next(i for i, c in enumerate(code) if c.source.startswith(TRAINING))
        cls.training = code[place + 1].source
        cls.before = [c.source for c in code[:place] if c.cell_type == "code"][:2]  # parameters, imports
        ci = (notebooks.CLONE / "experiments/profiles/ci.yaml").read_text()
        for name, steps in (("long", 150), ("endless", 1_000_000)):
            (cls.work / f"{name}.yaml").write_text(ci.replace("\n  steps: 12\n", f"\n  steps: {steps}\n"))
        kernel = cls.kernel("long")
        cls.undisturbed = cls.result(kernel)
        kernel.close()

    @classmethod
    def kernel(cls, profile, **environment):
        """A kernel that has run the cells above the one that trains."""
        kernel = Kernel(cls.work, **environment)
        for source in (cls.before[0], f'var Profile = "{cls.work / profile}.yaml"', cls.before[1]):
            ok, text = kernel.run(source)
            assert ok, text
        return kernel

    @classmethod
    def folder(cls):
        return next(cls.work.glob("phantom-*/rd"))

    @classmethod
    def result(cls, kernel):
        """Runs the cell that trains to its end: what it shows, the record, the student's file."""
        ok, text = kernel.run(cls.training)
        assert ok, text
        record = json.loads((cls.folder() / "record.json").read_text())
        return record, (cls.folder() / "student.onnx").read_bytes(), text

    def setUp(self):
        shutil.rmtree(self.folder(), ignore_errors=True)

    def assert_gone(self, processes):
        _, alive = psutil.wait_procs(processes, timeout=10)
        self.assertEqual(alive, [])

    def assert_continues(self, kernel):
        self.assertTrue((self.folder() / "checkpoint.safetensors").exists())
        record, student, text = self.result(kernel)
        self.assertIn("continuing from step", text)
        self.assertTrue(record["run"]["resumed"])
        self.assertEqual(record["result"], self.undisturbed[0]["result"])
        self.assertEqual(student, self.undisturbed[1])
        self.assertEqual([p.name for p in self.folder().iterdir() if p.name.startswith(("checkpoint", ".lock"))], [])

    def test_interrupted(self):
        kernel = self.kernel("long")
        self.addCleanup(kernel.close)
        running = []

        def stop():
            running.extend(kernel.children())
            kernel.manager.interrupt_kernel()
        ok, text = kernel.run(self.training, stop, at=30)
        self.assertFalse(ok)
        self.assertIn("run this cell again to go on", text)
        self.assertNotIn("goroutine", text)
        self.assertEqual(len(running), 1)
        self.assert_gone(running)
        self.assert_continues(kernel)

    def test_kernel_restarted(self):
        self.kernel_ends(lambda kernel: kernel.manager.restart_kernel())

    def test_kernel_killed(self):
        self.kernel_ends(lambda kernel: os.kill(kernel.pid(), 9))

    def kernel_ends(self, how):
        kernel = self.kernel("long")
        self.addCleanup(kernel.close)

        def stop():
            raise Gone
        with self.assertRaises(Gone):
            kernel.run(self.training, stop, at=30)
        running = kernel.children()
        self.assertEqual(len(running), 1)
        how(kernel)
        self.assert_gone(running)
        again = self.kernel("long")
        self.addCleanup(again.close)
        self.assert_continues(again)

    def test_kernel_of_a_silent_cell_killed(self):
        kernel = self.kernel("endless", RD_HEADLESS="1")
        self.addCleanup(kernel.close)
        kernel.client.execute(self.training)
        deadline = time.monotonic() + PATIENCE
        while not list(self.work.glob("phantom-*-1000000-*/rd/.lock")) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(5)
        running = kernel.children()
        self.assertEqual(len(running), 1)
        os.kill(kernel.pid(), 9)
        self.assert_gone(running)


class Lacking(unittest.TestCase):
    """The first cell says what is missing, in plain words."""

    def first_cell(self, folder=notebooks.FOLDER, **environment):
        kernel = Kernel(folder / "nothing is written", folder, **environment)
        self.addCleanup(kernel.close)
        code = [c.source for c in committed("01_quickstart.ipynb").cells if c.cell_type == "code"]
        kernel.run(code[0])
        ok, text = kernel.run(code[1])
        if ok and folder != notebooks.FOLDER:
            self.skipTest("the system has a library of its own")
        self.assertFalse(ok)
        self.assertNotIn("goroutine", text)
        self.assertNotIn("panic", text)
        self.assertIn("start Jupyter again", text)
        return text

    def test_wrong_path(self):
        text = self.first_cell(ONNXRUNTIME_SHARED_LIBRARY_PATH="/nowhere/libonnxruntime.so")
        self.assertIn("error: ONNXRUNTIME_SHARED_LIBRARY_PATH=/nowhere/libonnxruntime.so is not a file: unset it", text)

    def test_no_library(self):
        with tempfile.TemporaryDirectory() as outside:  # from where the clone's is not found
            text = self.first_cell(pathlib.Path(outside), ONNXRUNTIME_SHARED_LIBRARY_PATH="")
        self.assertIn("no ONNX Runtime library found: run `make setup`", text)

    def test_another_file(self):
        text = self.first_cell(ONNXRUNTIME_SHARED_LIBRARY_PATH=__file__)
        self.assertIn("make setup", text)

    def test_no_backend(self):
        text = self.first_cell(GOMLX_BACKEND="xla:cudda")
        self.assertIn("GOMLX_BACKEND=xla:cudda", text)


if __name__ == "__main__":
    unittest.main()
