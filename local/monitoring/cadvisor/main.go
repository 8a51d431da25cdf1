// cAdvisor's core as Debian's source package `kubernetes` brings it, with a main of our own: it serves /metrics and
// /healthz as cAdvisor's own main does, with the flags that compose/node/compose.yaml gives. The web pages, the REST
// API and the storage drivers are left out. Built by scripts/setup/cadvisor.sh, for the local cloud only.
package main

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/google/cadvisor/cache/memory"
	"github.com/google/cadvisor/container"
	_ "github.com/google/cadvisor/container/docker/install"
	v2 "github.com/google/cadvisor/info/v2"
	"github.com/google/cadvisor/manager"
	"github.com/google/cadvisor/metrics"
	"github.com/google/cadvisor/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
)

var (
	address = flag.String("listen_ip", "", "address to listen on; empty: all")
	port    = flag.Int("port", 8080, "port to listen on")
	dynamic = flag.Bool("allow_dynamic_housekeeping", true, "look less often at containers that do nothing")
	longest = flag.Duration("max_housekeeping_interval", 60*time.Second, "and no less often than so")
	all     = flag.Bool("store_container_labels", true, "give all labels of a container as labels of its metrics")
	enabled = flag.String("enable_metrics", "cpu,memory,network,disk", "kinds of metrics, separated by commas")
	labels  = flag.String("whitelisted_container_labels", "", "else the labels to give, separated by commas")
)

func main() {
	klog.InitFlags(nil)
	flag.Parse()
	kinds := container.MetricSet{}
	for _, kind := range strings.Split(*enabled, ",") {
		kinds.Add(container.MetricKind(kind))
	}
	housekeeping := manager.HouskeepingConfig{Interval: longest, AllowDynamic: dynamic}
	watched, err := manager.New(memory.New(2*time.Minute, nil), sysfs.NewRealSysFs(), housekeeping, kinds, http.DefaultClient, []string{""}, "")
	exitOn(err)
	exitOn(watched.Start())
	named := metrics.DefaultContainerLabels
	if !*all {
		named = metrics.BaseContainerLabels(strings.Split(*labels, ","))
	}
	registry := prometheus.NewRegistry()
	wanted := v2.RequestOptions{IdType: v2.TypeName, Count: 1, Recursive: true}
	registry.MustRegister(
		metrics.NewPrometheusCollector(watched, named, kinds, clock.RealClock{}, wanted),
		metrics.NewPrometheusMachineCollector(watched, kinds),
	)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	http.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) { io.WriteString(answer, "ok") })
	exitOn(http.ListenAndServe(fmt.Sprintf("%s:%d", *address, *port), nil))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "cadvisor:", err)
		os.Exit(1)
	}
}
