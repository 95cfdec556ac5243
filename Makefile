.PHONY: check lint test test-all golden data docs

check: lint test  ## what to run before every commit: under two minutes

lint:
	ruff check src tests tools
	mypy
	lint-imports

test:
	pytest

test-all:  ## the fast suite and everything that takes longer
	pytest -m ''

golden:  ## make the golden LP texts and the published problems again; look at what has changed
	python tests/golden_text.py
	python tests/published_problems.py

data:  ## make every reconstructed table again
	python tools/reconstruct/naryn_syrdarya.py
	python tools/reconstruct/kyrgyz_load.py  # and what the neighbours' plants served
	python tools/reconstruct/years_2001_2010.py
	python tools/reconstruct/hydrological_years.py
	python tools/reconstruct/years_reconstructed.py
	python tools/reconstruct/chu_talas.py
	python tools/reconstruct/chu_talas_years.py
	python tools/reconstruct/check_balances.py
	python tools/schematic.py data/basins/naryn-syrdarya

docs:  ## make every number and chart of docs/ again
	python tools/write_tables_page.py
	python tools/study_dry_2023.py
	wateropt hindcast nine-years dry-2023 normal-2024 tests/published/toktogul-1992.yaml --page docs/validation.md
	python tools/study_dry_years.py
