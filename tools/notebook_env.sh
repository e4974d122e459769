# Sourced: lets Jupyter find the clone's kernel, and keep all that it writes within the clone.
mkdir -p .jupyter
export JUPYTER_PATH=$PWD/tools/jupyter
export JUPYTER_CONFIG_DIR=$PWD/.jupyter/config JUPYTER_DATA_DIR=$PWD/.jupyter/data JUPYTER_RUNTIME_DIR=$PWD/.jupyter/runtime
export IPYTHONDIR=$PWD/.jupyter/ipython
export JUPYTERLAB_SETTINGS_DIR=$PWD/.jupyter/lab/settings JUPYTERLAB_WORKSPACES_DIR=$PWD/.jupyter/lab/workspaces
