# Koshi on the official Airflow image. The image brings the system, its user and Python; every Python package comes from our lock file.
FROM apache/airflow:3.3.2-python3.12

USER root
RUN install -d -o airflow -g root -m 0775 /opt/koshi /opt/koshi/airflow \
    /opt/koshi/state/sample/archive /opt/koshi/state/sample/journal /opt/koshi/state/live/archive /opt/koshi/state/live/journal
USER airflow
WORKDIR /opt/koshi

# An environment of its own: the image's Airflow has other dependencies than ours, and neither may see the other.
ENV VIRTUAL_ENV=/opt/koshi/venv PATH=/opt/koshi/venv/bin:$PATH PYTHONPATH=/opt/koshi UV_PYTHON_DOWNLOADS=never
COPY --chown=airflow:root requirements.lock requirements-uv.lock ./
RUN python -m venv --clear $VIRTUAL_ENV \
    && $VIRTUAL_ENV/bin/python -m pip install --quiet --no-cache-dir --require-hashes -r requirements-uv.lock \
    && $VIRTUAL_ENV/bin/uv pip sync --quiet --no-cache --compile-bytecode --require-hashes requirements.lock requirements-uv.lock \
    && test "$(command -v airflow)" = "$VIRTUAL_ENV/bin/airflow" \
    && grep -q "^apache-airflow==$(airflow version) " requirements.lock

COPY --chown=airflow:root . .

ENV AIRFLOW_HOME=/opt/koshi/airflow AIRFLOW__CORE__DAGS_FOLDER=/opt/koshi/dags KOSHI_STATE=/opt/koshi/state \
    DO_NOT_TRACK=1 DBT_SEND_ANONYMOUS_USAGE_STATS=false GX_ANALYTICS_ENABLED=False
# docker-compose.yml says what each container runs; the image's own entry point is not needed
ENTRYPOINT []
CMD ["airflow", "version"]
