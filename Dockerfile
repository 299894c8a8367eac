# Two images: `airflow` runs otterflow's Dags, `target` is a PostgreSQL behind an sshd to try them on.
FROM apache/airflow:slim-3.3.2-python3.11 AS airflow
COPY --chown=airflow:0 requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --no-deps -r /tmp/requirements.txt && pip check
# Mount points of volumes: a new volume takes over owner and mode, so that no container has to begin as root.
RUN mkdir -p /opt/airflow/auth /opt/airflow/otterflow && chmod 775 /opt/airflow/auth /opt/airflow/otterflow
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
RUN python -m compileall -q /opt/airflow/plugins
# `include` comes as a volume: it holds the user's own targets and benchmarks.

FROM debian:bookworm-slim AS target
# No cluster is made while the package is installed: the entry point makes one in a volume.
RUN mkdir -p /etc/postgresql-common \
    && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        -o Dpkg::Options::=--force-confold openssh-server postgresql-15 sysbench \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && usermod -p '*' postgres \
    && mkdir -p /run/sshd
COPY docker/target-entrypoint.sh /usr/local/bin/target-entrypoint
ENTRYPOINT ["/usr/local/bin/target-entrypoint"]
EXPOSE 22
