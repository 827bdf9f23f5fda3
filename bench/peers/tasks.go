// SPDX-License-Identifier: MIT

// The peer of peers.py in Go: `go WORK N` does the work N times, and prints the work, N, the CPU and
// the time in seconds, and the peak of the resident bytes.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const list = 1000 // goroutines that are waited for together

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func usage() (cpu float64, peak int64) {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, u.Maxrss * 1024
}

func spawnAwait(n int) {
	for i := 0; i < n; i++ {
		var wg sync.WaitGroup
		wg.Add(1)
		go func() { wg.Done() }()
		wg.Wait()
	}
}

func spawnGather(n int) {
	for i := 0; i < n/list; i++ {
		var wg sync.WaitGroup
		wg.Add(list)
		for j := 0; j < list; j++ {
			go func() { wg.Done() }()
		}
		wg.Wait()
	}
}

func yield(n, tasks int) {
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			for j := 0; j < n/tasks; j++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
}

func handOff(n int) {
	ch := make(chan int, 1)
	go func() {
		for i := 1; i <= n; i++ {
			ch <- i
		}
		close(ch)
	}()
	sum := 0
	for i := range ch {
		sum += i
	}
	if sum != n*(n+1)/2 {
		panic("an item was lost")
	}
}

func sleeps(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			time.Sleep(time.Second)
			wg.Done()
		}()
	}
	wg.Wait()
}

func client(tasks int, caFile string, http2 bool) *http.Client {
	transport := &http.Transport{MaxIdleConnsPerHost: tasks, MaxConnsPerHost: tasks}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		check(err)
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
		transport.ForceAttemptHTTP2 = http2
		if http2 {
			transport.MaxConnsPerHost = 0
		} else {
			transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
		}
	}
	return &http.Client{Transport: transport}
}

func get(n int, url string, tasks int, caFile string, http2 bool) {
	c := client(tasks, caFile, http2)
	var wg sync.WaitGroup
	wg.Add(tasks)
	for i := 0; i < tasks; i++ {
		go func() {
			defer wg.Done()
			for j := 0; j < n/tasks; j++ {
				response, err := c.Get(url)
				check(err)
				body, err := io.ReadAll(response.Body)
				check(err)
				response.Body.Close()
				if response.StatusCode != 200 || len(body) != 1024 || http2 != (response.ProtoMajor == 2) {
					panic("an answer is not as expected")
				}
			}
		}()
	}
	wg.Wait()
}

func main() {
	work := os.Args[1]
	n, err := strconv.Atoi(os.Args[2])
	check(err)
	url, caFile, tasks := "", "", 64
	if len(os.Args) > 4 {
		url = os.Args[3]
		tasks, err = strconv.Atoi(os.Args[4])
		check(err)
	}
	if len(os.Args) > 5 {
		caFile = os.Args[5]
	}
	cpu0, _ := usage()
	t0 := time.Now()
	switch work {
	case "start":
	case "spawn_await":
		spawnAwait(n)
	case "spawn_gather":
		spawnGather(n)
	case "yield_2":
		yield(n, 2)
	case "yield_50":
		yield(n, 50)
	case "hand_off":
		handOff(n)
	case "sleeps":
		sleeps(n)
	case "get", "get_h1":
		get(n, url, tasks, caFile, false)
	case "get_h2":
		get(n, url, tasks, caFile, true)
	default:
		os.Exit(3)
	}
	cpu, peak := usage()
	fmt.Println(work, n, cpu-cpu0, time.Since(t0).Seconds(), peak)
}
