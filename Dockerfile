# The one image of Daypass: `docker build -t daypass/daypass:0.1.0 .`
# For a release, give the base by digest: --build-arg BASE=python:3.13-slim-trixie@sha256:…
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/daypass
WORKDIR /src
# Dependencies first: they change less often than our own code. Exact versions, each file checked by its hash.
COPY requirements.lock .
RUN python -m pip --python /opt/daypass/bin/python install --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml LICENSE README.md ./
COPY operator operator
# The build backend comes with the pinned development tools, also by hash.
COPY requirements-dev.lock .
RUN python -m venv /opt/tools \
 && /opt/tools/bin/python -m pip install --require-hashes --only-binary :all: -r requirements-dev.lock \
 && /opt/tools/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/daypass/bin/python install --no-deps --no-index /wheels/*.whl \
 && python -m compileall -q /opt/daypass/lib

FROM ${BASE}
LABEL org.opencontainers.image.title=daypass \
      org.opencontainers.image.description="Access for AI agents and people that policy or people approve" \
      org.opencontainers.image.licenses=Apache-2.0
# Nothing is written beside /tmp, so the root may be read-only; the user is the one that the chart names.
ENV PATH=/opt/daypass/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/daypass /opt/daypass
USER 65532:65532
ENTRYPOINT ["daypass"]
CMD ["--help"]
