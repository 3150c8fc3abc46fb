# QuantLab as an image: docker build -t quantlab . ; docker run --rm -v quantlab:/data quantlab run --paper --prices synthetic
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY quantlab quantlab
COPY migrations migrations
RUN python -m venv /opt/quantlab && /opt/quantlab/bin/python -m pip install --no-cache-dir '.[parquet,postgres]'

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home quantlab && install -d -o quantlab -g quantlab /data
COPY --from=build /opt/quantlab /opt/quantlab
ENV PATH=/opt/quantlab/bin:$PATH MPLCONFIGDIR=/tmp/matplotlib
USER 10001
WORKDIR /data
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["quantlab"]
CMD ["--help"]
