# Two images: what a stage needs (no Airflow), and what Airflow needs (no torch).
#   docker build --target trainer -t tradewind-trainer .
#   docker build --target airflow -t tradewind-airflow .
ARG BASE_TRAINER=python:3.11-slim
ARG BASE_AIRFLOW=apache/airflow:3.3.2-python3.11

FROM ${BASE_TRAINER} AS trainer
RUN useradd --create-home --uid 1000 tradewind
WORKDIR /opt/tradewind
# The pinned packages first: a change of code leaves this layer as it is.
COPY pyproject.toml requirements.txt ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
print(*p['dependencies'], *p['optional-dependencies']['train'], sep='\n')" > wanted.txt \
 && pip install --no-cache-dir --constraint requirements.txt --requirement wanted.txt
COPY README.md ./
COPY include include
COPY plugins plugins
RUN pip install --no-cache-dir --no-deps .
USER tradewind
CMD ["python", "-m", "tradewind", "--help"]

FROM ${BASE_AIRFLOW} AS airflow
WORKDIR /opt/tradewind
COPY --chown=airflow:0 pyproject.toml requirements.txt README.md ./
COPY --chown=airflow:0 include include
COPY --chown=airflow:0 plugins plugins
RUN pip install --no-cache-dir --constraint requirements.txt ".[airflow]"
WORKDIR /opt/airflow
COPY --chown=airflow:0 dags dags
