"""Cases and results that many tests look at: each shipped scenario is solved once."""

import pytest

import wateropt


@pytest.fixture(scope="session")
def dry():
    return wateropt.load("dry-2023")


@pytest.fixture(scope="session")
def dry_result(dry):
    return wateropt.solve(dry)


@pytest.fixture(scope="session")
def normal():
    return wateropt.load("normal-2024")


@pytest.fixture(scope="session")
def normal_result(normal):
    return wateropt.solve(normal)


@pytest.fixture(scope="session")
def monthly():
    return wateropt.load("dry-2023-monthly")


@pytest.fixture(scope="session")
def monthly_result(monthly):
    return wateropt.solve(monthly)
