# curate on a CPU. What is installed is pinned: the base by its digest, every package by version and hash.
#
#   docker build --tag curate .
#   docker run --rm --volume "$PWD":/data --user "$(id -u):$(id -g)" curate demo
#
# It runs as a user without rights, exposes no port, and what curate serves (FiftyOne's App) listens on 127.0.0.1 of the
# container alone. FiftyOne's own database is left out: its package downloads MongoDB while it is installed, which no
# hash covers. `review --sheet` and everything else need none; for the App, name a database of yours in
# FIFTYONE_DATABASE_URI and run with --network host.

FROM python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84 AS build

# Where PyTorch has its builds for CPUs; the lock says by hash which one is taken.
ARG PYTORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_REQUIRE_HASHES=1
WORKDIR /build

RUN python -m venv /opt/builder && python -m venv /opt/curate
COPY requirements/build.txt requirements/linux-py311.txt ./
# Wheels alone, so that nothing of a package runs here, but glob2, which comes as source: a setup.py without downloads.
RUN grep -v '# source' linux-py311.txt > wheels.txt && grep '^glob2==' linux-py311.txt > source.txt \
    && /opt/builder/bin/pip install --no-deps --only-binary=:all: -r build.txt \
    && /opt/curate/bin/pip install --no-deps --only-binary=:all: --extra-index-url "$PYTORCH_INDEX" -r wheels.txt \
    && /opt/curate/bin/pip install --no-deps --no-build-isolation -r source.txt

COPY pyproject.toml README.md LICENSE ./
COPY datasets datasets
COPY curate curate
COPY train train
RUN /opt/builder/bin/hatchling build -t wheel -d dist \
    && PIP_REQUIRE_HASHES=0 /opt/curate/bin/pip install --no-deps --no-index dist/*.whl

FROM python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84

COPY --from=build /opt/curate /opt/curate
RUN useradd --create-home --uid 1000 curate && install --directory --owner curate /data
# Any --user may run it: what libraries keep for themselves goes where everybody may write.
ENV PATH=/opt/curate/bin:$PATH HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib PYTHONDONTWRITEBYTECODE=1
USER 1000
WORKDIR /data
ENTRYPOINT ["curate"]
CMD ["--help"]
