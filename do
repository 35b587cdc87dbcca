#!/usr/bin/env bash
# One command for each job of a developer: `./do JOB`, in the environment that is active or in .venv. `./do` lists the jobs.
set -euo pipefail
cd "$(dirname "$0")"
if [ -z "${VIRTUAL_ENV:-}" ] && [ -d .venv ]; then PATH="$PWD/.venv/bin:$PATH"; fi

job=${1:-help}
[ $# -eq 0 ] || shift
case "$job" in
  test)    pytest "$@" ;;                                             # the default tests
  heavy)   pytest -m heavy "$@" ;;                                    # those that take long
  stress)  pytest -m stress -n 0 "$@" ;;                              # a hundred kills, ten thousand files, all loops compiled in advance
  peers)   pytest -m peers "$@" ;;                                    # against PyTorch and OpenCV: pip install ".[peers]"
  lint)    ruff check . && ruff format --check . && lint-imports && mypy ;;   # style, order of imports, types
  format)  ruff check --fix . && ruff format . ;;                     # repair what can be
  docs)    sphinx-build -W --keep-going -n -q -b html docs build/site ;;      # the site, into build/site
  reference) python docs/make_reference.py ;;                         # docs/commands.md, from the commands' help
  images)  python docs/make_images.py ;;                              # the pictures of docs
  regression) python benchmarks/regression.py ;;                      # did something become slower?
  benchmark) python benchmarks/run.py "$@" ;;                         # docs/performance.md: pip install ".[bench]"
  release) rm -rf dist && python -m build && twine check --strict dist/* ;;   # a release, into dist: pip install ".[release]"
  ci)      bash .ci/run ;;                                            # everything, as CI does
  *)       sed -n 's/^  \([a-z]*\)) .*# \(.*\)$/\1\t\2/p' do | expand -t 12; [ "$job" = help ] ;;
esac
