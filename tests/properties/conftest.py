"""How many examples: few, the same each time, or, with CURATE_PROPERTIES=thorough, many, others each time."""

import os

from hypothesis import HealthCheck, settings

CALM = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
settings.register_profile(
    "suite", max_examples=5, derandomize=True, deadline=None, database=None, suppress_health_check=CALM
)
settings.register_profile("thorough", max_examples=1000, deadline=None, database=None, suppress_health_check=CALM)
settings.load_profile(os.environ.get("CURATE_PROPERTIES", "suite"))
