# Counts the rows again and again until its time is over, and prints what that took.
now_us() { echo $(($(date +%s%N) / 1000)); }
begun=$(now_us)
now=$begun
: > latencies
while ((now - begun < OTTERFLOW_DURATION_S * 1000000)); do
    psql --no-psqlrc --quiet --output=/dev/null --command='SELECT count(*) FROM own_numbers'
    last=$now
    now=$(now_us)
    echo $((now - last)) >> latencies
done
echo "counted with seed $OTTERFLOW_SEED"
sort -n latencies | awk -v took=$((now - begun)) '
    { latency[NR] = $1 / 1000; sum += latency[NR] }
    function nearest(percent) { rank = NR * percent / 100; return latency[rank > int(rank) ? int(rank) + 1 : int(rank)] }
    END {
        printf "{\"throughput\": %.3f, \"latency_ms\": {\"mean\": %.3f, ", NR / took * 1e6, sum / NR
        printf "\"p50\": %.3f, \"p95\": %.3f, \"p99\": %.3f}, ", nearest(50), nearest(95), nearest(99)
        printf "\"errors\": 0, \"transactions\": %d, \"seconds\": %.6f}\n", NR, took / 1e6
    }'
