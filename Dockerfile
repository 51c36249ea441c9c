# One image for every service of docker-compose.yml; what a container does is its command.
#
# The builder has a compiler for durable-rules, which comes as source only; the image has none. 3.11 is the
# Python that the whole test suite runs on (3.12 builds from this file too: --build-arg PYTHON=3.12; 3.13 needs
# the shim of scripts/setup). tests/e2e/test_deployment.py runs the builder's steps as they stand here.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock requirements-build.lock ./
RUN awk '/^[a-z]/ { on = /^(packaging|setuptools|wheel)==/ } on' requirements-build.lock >tools.lock \
    && awk '/^[A-Za-z]/ { on = /^durable-rules==/ } on' requirements.lock >source.lock \
    && awk '/^[A-Za-z]/ { on = !/^durable-rules==/ } on' requirements.lock >wheels.lock
RUN python -m venv /opt/vigil \
    && /opt/vigil/bin/pip install --quiet --no-cache-dir --only-binary :all: --require-hashes -r tools.lock \
    && /opt/vigil/bin/pip install --quiet --no-cache-dir --only-binary :all: --require-hashes -r wheels.lock
RUN CC=gcc /opt/vigil/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation --use-pep517 \
    --require-hashes -r source.lock
COPY . .
RUN /opt/vigil/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation --no-index . \
    && /opt/vigil/bin/pip check \
    && /opt/vigil/bin/pip uninstall --quiet --yes setuptools wheel pip \
    && /opt/vigil/bin/python -c 'import api, durable.lang, worker'

FROM python:${PYTHON}-slim-bookworm
LABEL org.opencontainers.image.title="Vigil" \
      org.opencontainers.image.description="Watches over the people in a clinical trial."
# A number of its own, so that no account of the host is meant by chance.
RUN groupadd --gid 10001 vigil \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin vigil
COPY --from=builder /opt/vigil /opt/vigil
# The root filesystem may be read-only: what must be written goes to /tmp.
ENV PATH=/opt/vigil/bin:$PATH \
    HOME=/tmp \
    VIGIL_DATA=/tmp/vigil \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
WORKDIR /opt/vigil
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["vigil", "--help"]
