package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Plan says what to send, to whom and how fast.
type Plan struct {
	Address     string // HOST:PORT
	ServerName  string // to be verified in the certificate, HOST where empty
	Authority   string // PEM file
	Certificate string // PEM files of ours, or none
	Key         string
	Path        string // with the query
	Headers     map[string]string
	Bodies      []string // files, sent in turn; each occurrence of Mark becomes a number of as many digits
	Mark        string
	Wanted      []string // what a good answer contains, to each of the bodies
	Connections int
	Rate        float64 // a second, at random intervals; 0: each connection sends on as soon as it has its answer
	WarmSeconds float64 // before anything counts
	Seconds     float64
}

// Result says how it went; times are in seconds.
type Result struct {
	Answers  int
	All      int // those before and after the time that counts too
	Rate     float64
	P50      float64
	P99      float64
	Max      float64
	Failures int
	Failure  string  // the first one
	Late     int     // due when no connection was free
	CPU      float64 // of this process, share of one core
}

type exchange struct {
	started time.Time
	took    time.Duration
	failure string
}

func (plan *Plan) run() (*Result, error) {
	settings, err := plan.settings()
	if err != nil {
		return nil, err
	}
	bodies, err := plan.requests()
	if err != nil {
		return nil, err
	}
	connections := make([]*tls.Conn, plan.Connections)
	for number := range connections {
		if connections[number], err = tls.Dial("tcp", plan.Address, settings); err != nil {
			return nil, err
		}
		defer connections[number].Close()
	}
	begin := time.Now().Add(seconds(plan.WarmSeconds))
	end := begin.Add(seconds(plan.Seconds))
	due, late := plan.due(begin, end)
	var before float64
	time.AfterFunc(time.Until(begin), func() { before = cpuSeconds() })
	all := make([][]exchange, plan.Connections)
	var group sync.WaitGroup
	for number, connection := range connections {
		group.Add(1)
		go func() {
			defer group.Done()
			all[number] = plan.drive(connection, bodies, number, due, end)
		}()
	}
	group.Wait()
	used := cpuSeconds() - before
	result := summary(slices.Concat(all...), begin, end)
	result.Late = *late
	result.CPU = used / time.Since(begin).Seconds()
	return result, nil
}

// drive sends one request after the other over one connection: when one is due, or else at once.
func (plan *Plan) drive(connection *tls.Conn, bodies [][]byte, number int, due <-chan time.Time, end time.Time) []exchange {
	var done []exchange
	reader := bufio.NewReaderSize(connection, 64*1024)
	var answer bytes.Buffer
	for round := number; ; round++ {
		started := time.Now()
		if due != nil {
			var open bool
			if started, open = <-due; !open {
				return done
			}
		} else if started.After(end) {
			return done
		}
		which := round % len(bodies)
		request := plan.numbered(bodies[which], number, round)
		failure := ""
		if _, err := connection.Write(request); err != nil {
			failure = err.Error()
		} else if err := plan.read(reader, &answer, plan.Wanted[which]); err != nil {
			failure = err.Error()
		}
		done = append(done, exchange{started, time.Since(started), failure})
		if failure != "" && len(done) > 100 {
			return done // a server that refuses everything need not be asked for long
		}
	}
}

func (plan *Plan) read(reader *bufio.Reader, answer *bytes.Buffer, wanted string) error {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	answer.Reset()
	if _, err := io.Copy(answer, response.Body); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 || !bytes.Contains(answer.Bytes(), []byte(wanted)) {
		return fmt.Errorf("%d %.300s", response.StatusCode, answer)
	}
	if response.Close {
		return errors.New("the server closes the connection")
	}
	return nil
}

// due sends the moments at which a request is to be made, as a Poisson process; what no connection takes then waits,
// and its waiting counts.
func (plan *Plan) due(begin, end time.Time) (<-chan time.Time, *int) {
	late := new(int)
	if plan.Rate == 0 {
		return nil, late
	}
	moments := make(chan time.Time, 1<<20)
	go func() {
		defer close(moments)
		chance := rand.New(rand.NewPCG(1, 2))
		for next := time.Now(); next.Before(end); next = next.Add(seconds(chance.ExpFloat64() / plan.Rate)) {
			time.Sleep(time.Until(next))
			if next.After(begin) && len(moments) > 0 {
				*late++
			}
			moments <- time.Now() // not "next": that this process woke up late is not the server's doing
		}
	}()
	return moments, late
}

func (plan *Plan) requests() ([][]byte, error) {
	var requests [][]byte
	for _, file := range plan.Bodies {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var head bytes.Buffer
		fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", plan.Path, plan.Address, len(body))
		for name, value := range plan.Headers {
			fmt.Fprintf(&head, "%s: %s\r\n", name, value)
		}
		head.WriteString("\r\n")
		requests = append(requests, append(head.Bytes(), body...))
	}
	return requests, nil
}

// numbered gives each request a number of its own in place of the mark.
func (plan *Plan) numbered(request []byte, connection, round int) []byte {
	if plan.Mark == "" {
		return request
	}
	number := fmt.Sprintf("%0*d", len(plan.Mark), connection*1_000_000+round)
	return bytes.ReplaceAll(request, []byte(plan.Mark), []byte(number[len(number)-len(plan.Mark):]))
}

func (plan *Plan) settings() (*tls.Config, error) {
	pem, err := os.ReadFile(plan.Authority)
	if err != nil {
		return nil, err
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s has no certificate", plan.Authority)
	}
	settings := &tls.Config{RootCAs: authorities, ServerName: plan.ServerName, NextProtos: []string{"http/1.1"}}
	if plan.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(plan.Certificate, plan.Key)
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	return settings, nil
}

func summary(all []exchange, begin, end time.Time) *Result {
	result := &Result{}
	var took []time.Duration
	result.All = len(all)
	for _, one := range all {
		if one.failure != "" {
			if result.Failures == 0 {
				result.Failure = one.failure
			}
			result.Failures++
		} else if finished := one.started.Add(one.took); finished.After(begin) && !finished.After(end) {
			took = append(took, one.took)
		}
	}
	if len(took) == 0 {
		return result
	}
	slices.Sort(took)
	at := func(share float64) float64 { return took[min(len(took)-1, int(share*float64(len(took))))].Seconds() }
	result.Answers, result.Rate = len(took), float64(len(took))/end.Sub(begin).Seconds()
	result.P50, result.P99, result.Max = at(0.5), at(0.99), at(1)
	return result
}

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
