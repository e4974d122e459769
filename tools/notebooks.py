"""Executes notebooks without a reader, as `make notebooks` does.

    .venv/bin/python tools/notebooks.py                               all of notebooks/, to runs/notebooks/
    .venv/bin/python tools/notebooks.py --update                      and writes their outputs into notebooks/
    .venv/bin/python tools/notebooks.py -p seed 2 01_quickstart.ipynb one, with another parameter

Parameters are those of the cell tagged "parameters", as for papermill: -p NAME VALUE (-r: a text, whatever it looks like)
adds a cell after it that sets them. Upper and lower case do not count. Each notebook is executed in its own folder, from which
relative paths are seen, by a fresh kernel. When a cell fails, its own error is printed and the notebook, as far as it came, is kept.
"""
import argparse
import difflib
import json
import os
import pathlib
import re
import shutil
import sys
import time

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

CLONE = pathlib.Path(__file__).resolve().parent.parent
FOLDER = CLONE / "notebooks"
OUT = CLONE / "runs" / "notebooks"
ASSIGNMENT = re.compile(r"^\s*(?:var\s+)?(\w+)(?:\s+(\w+))?\s*=\s*(.+?)\s*(?://.*)?$")
TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


# What a value of each type looks like, and how that is called.
TYPES = {
    "string": (r"(?s).*", "a text"),
    "bool": (r"true|false", "true or false"),
    "int": (r"[+-]?\d+", "a whole number"),
    "uint": (r"\d+", "a whole number of 0 or more"),
    "float": (r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", "a number"),
}


def parameters(notebook):
    """The cell tagged "parameters": its place, and its names in lower case with name and type."""
    for place, cell in enumerate(notebook.cells):
        if "parameters" in cell.metadata.get("tags", []):
            found = {}
            for line in cell.source.splitlines():
                if match := ASSIGNMENT.match(line):
                    name, declared, value = match.groups()
                    implied = ("string" if value[0] in '"`' else "bool" if value in ("true", "false") else
                               "int" if re.fullmatch(TYPES["int"][0], value) else "float64")
                    found[name.lower()] = name, declared or implied
            return place, found
    return None, {}


def literal(name, kind, text, raw):
    """A value of a type as Go has it; one of another type is wrong usage."""
    pattern, called = TYPES[kind.rstrip("0123456789")]
    if kind == "string":
        return json.dumps(text, ensure_ascii=False)
    if raw:
        sys.exit(f"{name} takes {called}, and -r gives a text: use -p")
    if kind == "bool":
        text = text.lower()  # Python's True
    if not re.fullmatch(pattern, text):
        sys.exit(f"{name} takes {called}, not {text!r}")
    return text


def inject(notebook, given, path):
    """Adds the cell that sets parameters, in place of one that was added before; a name that is not declared is wrong usage."""
    if not given:
        return
    notebook.cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    place, found = parameters(notebook)
    if place is None:
        sys.exit(f"{path} has no cell tagged parameters")
    lines = []
    for key, text, raw in given:
        if key.lower() not in found:
            nearest = difflib.get_close_matches(key.lower(), found, n=1, cutoff=0)[0]
            sys.exit(f"{path} has no parameter {key}: did you mean {found[nearest][0]}? There are {', '.join(n for n, _ in found.values())}")
        name, kind = found[key.lower()]
        lines.append(f"\t{name} {kind} = {literal(name, kind, text, raw)}")
    cell = nbformat.v4.new_code_cell("// parameters given on the command line\nvar (\n" + "\n".join(lines) + "\n)")
    cell.id = "injected-parameters"
    cell.metadata["tags"] = ["injected-parameters"]
    notebook.cells.insert(place + 1, cell)


def merge_streams(cell):
    """Joins the pieces of a stream, however the kernel cut them: of lines that were overwritten the last look stays."""
    merged = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream" and merged and merged[-1].output_type == "stream" and merged[-1].name == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            output.text = "\n".join(line.rsplit("\r", 1)[-1] for line in output.text.replace("\r\n", "\n").split("\n"))
    if "outputs" in cell:
        cell.outputs = merged


def failure(cell, error):
    """What a cell that failed said itself."""
    said = [o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"]
    if not said:
        for output in cell.outputs:
            if output.output_type == "error":
                said += ["\n".join(output.traceback) or f"{output.ename}: {output.evalue}"]
    if not said:
        said = [str(error)]
    return TERMINAL.sub("", "".join(said)).strip()


def execute(path, notebook, out, timeout):
    """Executes one notebook and writes it to out, with its HTML. Returns whether all of it ran."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(notebook, timeout=timeout, kernel_name="gonb", record_timing=False, interrupt_on_timeout=True,
                            resources={"metadata": {"path": str(path.parent)}})
    began, ok = time.monotonic(), True
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError, RuntimeError) as error:
        ok = False
        failed = next((c for c in reversed(notebook.cells) if c.cell_type == "code" and c.outputs), None)
        print(f"\n{path.name}: a cell failed:\n", file=sys.stderr)
        if failed is not None:
            print("\n".join("    " + line for line in failed.source.splitlines()), file=sys.stderr)
            print("\n" + failure(failed, error), file=sys.stderr)
        else:
            print(error, file=sys.stderr)
    for cell in notebook.cells:
        merge_streams(cell)
    notebook.metadata.pop("widgets", None)
    out.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out / path.name)
    html, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook, resources={"metadata": {"name": path.stem}})
    (out / path.name).with_suffix(".html").write_text(html, encoding="utf-8")
    print(f"{path.name}: {'done' if ok else 'FAILED'} in {time.monotonic() - began:.0f} s, {out / path.stem}.html", flush=True)
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="files; all of notebooks/ when none is given")
    parser.add_argument("-p", "--parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("-r", "--parameters_raw", nargs=2, action="append", default=[], metavar=("NAME", "TEXT"))
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="folder of the executed notebooks and their HTML")
    parser.add_argument("--update", action="store_true", help="write the outputs into the notebooks themselves too")
    parser.add_argument("--resume", action="store_true", help="keep what an earlier execution trained")
    parser.add_argument("--timeout", type=int, default=1800, help="seconds a cell may take")
    args = parser.parse_args()
    if args.update and (args.parameters or args.parameters_raw):
        parser.error("--update writes the notebooks with the parameters they have: leave -p and -r out")
    paths = [p if p.exists() else FOLDER / p for p in map(pathlib.Path, args.notebooks)] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        if not path.exists():
            sys.exit(f"{path}: no such notebook")
    if "gonb" not in KernelSpecManager().find_kernel_specs():
        sys.exit("the kernel is not known here: use make notebooks, or set JUPYTER_PATH to tools/jupyter of the clone")
    given = [(n, v, False) for n, v in args.parameters] + [(n, v, True) for n, v in args.parameters_raw]
    notebooks = [nbformat.read(path, as_version=4) for path in paths]
    for path, notebook in zip(paths, notebooks):
        inject(notebook, given, path.name)
    work = args.out.resolve() / "work"
    if not args.resume:
        shutil.rmtree(work, ignore_errors=True)
    os.environ.update(RD_HEADLESS="1", RD_NOTEBOOK_WORK=os.path.relpath(work, FOLDER))
    ok = True
    for path, notebook in zip(paths, notebooks):
        done = execute(path.resolve(), notebook, args.out, args.timeout)
        ok = ok and done
        if args.update and done:
            nbformat.write(notebook, path)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
