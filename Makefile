# Everything from a fresh checkout: `make demo` and `make test`. The environments live in .venv/.
