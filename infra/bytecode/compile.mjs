// Usage: node compile.mjs 3.13 DIRECTORY - writes the bytecode of a directory with the Python of a version, in Node.
const [version, directory] = process.argv.slice(2);
const { loadPyodide } = await import(`./node_modules/pyodide-${version}/pyodide.mjs`);
const python = await loadPyodide();
python.FS.mkdirTree("/code");
python.FS.mount(python.FS.filesystems.NODEFS, { root: directory }, "/code");
const done = python.runPython(`
import compileall, py_compile
compileall.compile_dir(
    "/code", quiet=1, stripdir="/code", prependdir="/", invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
)
`);
process.exit(done ? 0 : 1);
