# Two images: `trainer` is what a stage needs (no Airflow), `airflow` what Airflow needs (no torch).
#   make images
# What changes rarely stands first: a change of code builds and installs one small wheel, no more.
#
# A build takes, if it is given them, and needs none of them:
#   --secret id=pip-conf,src=FILE    a pip.conf, for a mirror of your own
#   --secret id=ca-bundle,src=FILE   the certificates to trust, in place of the base's
#   wheelhouse/                      wheels that pip looks at beside its index, such as another build of torch
# Secrets are mounted while pip runs and enter no layer.
# No `syntax` line: it would ask a registry for a parser that every BuildKit has.
ARG BASE_TRAINER=python:3.11-slim
ARG BASE_AIRFLOW=apache/airflow:3.3.2-python3.11
ARG BASE_VLLM=vllm/vllm-openai:latest
# pip brings certificates of its own and reads these only when told; the path is Debian's, as both bases are.
ARG PIP_CERT=/etc/ssl/certs/ca-certificates.crt

# COPY fails where it finds nothing, and the wheelhouse is optional: the pinned versions keep it company (last, so
# that no file of the wheelhouse takes their place).
FROM scratch AS pins
COPY wheelhouse* requirements.txt /

# A virtual environment, since Debian's own Python has no `python` and lets pip install nothing beside apt.
FROM ${BASE_TRAINER} AS python
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1

# The names alone decide whether packages are installed again; the rest of pyproject.toml changes more often.
FROM python AS names
COPY pyproject.toml requirements-dev.txt /
# What opens buckets is pinned among the tests' packages, beside one build of CUDA's.
RUN grep --invert-match --extended-regexp '^(torch|triton|nvidia-)' /requirements-dev.txt >/more-pins.txt
RUN python -c "import tomllib; \
project = tomllib.load(open('/pyproject.toml', 'rb'))['project']; extras = project['optional-dependencies']; \
trainer = [item for name in ('train', 'serve', 's3', 'gcs') for item in extras[name]]; \
print(*project['dependencies'], *trainer, sep='\n', file=open('/trainer.txt', 'w')); \
airflow = [item for name in ('airflow', 'production', 'kubernetes', 's3', 'gcs') for item in extras[name]]; \
print(*project['dependencies'], *airflow, sep='\n', file=open('/airflow.txt', 'w'))"

FROM python AS wheel
ARG PIP_CERT
WORKDIR /src
COPY requirements-dev.txt ./
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-bundle,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,from=pins,target=/mnt/pins \
    pip install --find-links /mnt/pins --constraint requirements-dev.txt hatchling
COPY pyproject.toml README.md ./
COPY include include
COPY plugins plugins
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

FROM python AS trainer
ARG PIP_CERT
RUN useradd --no-create-home --uid 1000 tradewind
# torch is whatever build the index or the wheelhouse has: requirements.txt pins its version and leaves CUDA open.
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf \
    --mount=type=secret,id=ca-bundle,target=/etc/ssl/certs/ca-certificates.crt \
    --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,from=pins,target=/mnt/pins \
    --mount=type=bind,from=names,source=/trainer.txt,target=/mnt/trainer.txt \
    --mount=type=bind,from=names,source=/more-pins.txt,target=/mnt/more-pins.txt \
    pip install --find-links /mnt/pins --constraint /mnt/pins/requirements.txt \
      --constraint /mnt/more-pins.txt --requirement /mnt/trainer.txt
RUN --mount=type=bind,from=wheel,source=/dist,target=/mnt/dist \
    pip install --no-index --no-deps --no-cache-dir /mnt/dist/*.whl
# Any uid may run it, also one without an entry in /etc/passwd: home is a folder that all may write, and the
# user's name is stated, because torch and others look it up. Last, so that pip leaves nothing of root's there.
ENV HOME=/tmp USER=tradewind PYTHONUNBUFFERED=1
WORKDIR /opt/tradewind
# A number, so that Kubernetes can tell that it is not root.
USER 1000
CMD ["python", "-m", "tradewind", "--help"]
# At the end: a new version or commit must not cost a layer.
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="tradewind-trainer" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"

# `docker build --target vllm --tag tradewind-vllm .`: vLLM's own image, which has what serving needs, with our wheel.
FROM ${BASE_VLLM} AS vllm
RUN --mount=type=bind,from=wheel,source=/dist,target=/mnt/dist \
    python3 -m pip install --no-index --no-deps --no-cache-dir /mnt/dist/*.whl \
 && python3 -c "import openai, psutil, pydantic, yaml, tradewind.serving.serve"
ENV HOME=/tmp USER=tradewind PYTHONUNBUFFERED=1
USER 1000
ENTRYPOINT []
CMD ["python3", "-m", "tradewind", "serve", "--help"]

FROM ${BASE_AIRFLOW} AS airflow
ARG PIP_CERT
USER root
# Airflow's own image brings the user, the folder and a Python to install into, whose pip wants that user. A plain
# Python image is given the same: uid 50000, and group 0 with the owner's rights, so that any uid of group 0 may
# run it.
RUN if ! id airflow >/dev/null 2>&1; then \
      useradd --create-home --uid 50000 --gid 0 airflow && chmod g=u /home/airflow; \
    fi \
 && if ! command -v airflow >/dev/null; then \
      python3 -m venv /opt/venv && mkdir -p /opt/airflow/dags /opt/airflow/logs /opt/airflow/plugins \
      && chown -R airflow:0 /opt/venv /opt/airflow && chmod -R g=u /opt/airflow; \
    fi
ENV AIRFLOW_HOME=/opt/airflow PATH=/opt/venv/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
USER 50000:0
# A cache of its own: pip refuses one that another user owns.
RUN --mount=type=secret,id=pip-conf,target=/etc/pip.conf,mode=0444 \
    --mount=type=secret,id=ca-bundle,target=/etc/ssl/certs/ca-certificates.crt,mode=0444 \
    --mount=type=cache,id=pip-airflow,target=/var/cache/pip,uid=50000,gid=0 \
    --mount=type=bind,from=pins,target=/mnt/pins \
    --mount=type=bind,from=names,source=/airflow.txt,target=/mnt/airflow.txt \
    --mount=type=bind,from=names,source=/more-pins.txt,target=/mnt/more-pins.txt \
    pip --cache-dir /var/cache/pip install --find-links /mnt/pins --constraint /mnt/pins/requirements.txt \
      --constraint /mnt/more-pins.txt --requirement /mnt/airflow.txt
RUN --mount=type=bind,from=wheel,source=/dist,target=/mnt/dist \
    pip install --no-index --no-deps --no-cache-dir /mnt/dist/*.whl
# As in Airflow's image, whatever the base; and a name for a uid that /etc/passwd lacks.
ENV HOME=/home/airflow USER=airflow PYTHONUNBUFFERED=1 AIRFLOW__CORE__LOAD_EXAMPLES=false
WORKDIR /opt/airflow
COPY --chown=50000:0 dags dags
# No ENTRYPOINT: the base's own prepares the user and, in Airflow's image, waits for the database.
CMD ["airflow", "--help"]
ARG VERSION=unknown
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="tradewind-airflow" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
