package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/alert"
)

// mailFrom is who the runner's e-mails come from.
const mailFrom = "alerts@stockbridge.test"

// mailPath is below which the e-mails are shown.
const mailPath = "/mail/"

// mailbox is a folder in which e-mails end: nothing of one machine's goes out. Each is a file that mail programs open.
type mailbox struct {
	dir string
	log io.Writer // hears of each; nil = nobody does
}

// Send implements alert.Mailer.
func (m *mailbox) Send(_ context.Context, e alert.Email) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Date: %s\r\nFrom: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%s@stockbridge.test>\r\n"+
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
		time.Now().Format(time.RFC1123Z), mailFrom, strings.Join(e.To, ", "), mime.QEncoding.Encode("utf-8", e.Subject),
		e.ID)
	b.WriteString(strings.ReplaceAll(e.Text, "\n", "\r\n"))
	file := filepath.Join(m.dir, e.ID+".eml") // the same message once more is the same file
	if err := os.WriteFile(file+".new", b.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	if m.log != nil {
		fmt.Fprintf(m.log, "e-mail        to %s: %s\n", strings.Join(e.To, ", "), e.Subject)
	}
	return nil
}

//go:embed mail.html
var mailText string

var mailTemplate = htmltemplate.Must(htmltemplate.New("mail").Parse(mailText))

// mailStyle allows the page's own style, by its hash, and nothing else.
var mailStyle = func() string {
	_, rest, _ := strings.Cut(mailText, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}()

// mailsShown is how many e-mails the page shows.
const mailsShown = 50

// shownMail is an e-mail as the page shows it.
type shownMail struct{ At, To, Subject, Text string }

// mailPage is what the page shows.
type mailPage struct {
	Dir   string
	Mails []shownMail
}

// ServeHTTP shows the newest e-mails, to who sits at this machine.
func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !loopback(r.RemoteAddr) || !loopbackHost(r.Host) {
		http.Error(w, "This page is for this machine alone.", http.StatusForbidden)
		return
	}
	mails, err := m.newest()
	if err != nil {
		http.Error(w, "The folder cannot be read.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+mailStyle+"'; frame-ancestors 'none'; "+
		"base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	mailTemplate.Execute(w, mailPage{m.dir, mails})
}

// loopbackHost reports whether a request's Host is this machine's own name: another one may lead here by a trick.
func loopbackHost(host string) bool {
	if !strings.Contains(strings.TrimSuffix(host, "]"), ":") {
		host += ":80"
	}
	return loopback(host)
}

// newest reads the newest e-mails.
func (m *mailbox) newest() (mails []shownMail, err error) {
	files, err := filepath.Glob(filepath.Join(m.dir, "*.eml"))
	if err != nil {
		return nil, err
	}
	type dated struct {
		path string
		at   time.Time
	}
	var all []dated
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			all = append(all, dated{file, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b dated) int { return cmp.Or(b.at.Compare(a.at), strings.Compare(a.path, b.path)) })
	for _, f := range all[:min(len(all), mailsShown)] {
		one, err := readMail(f.path)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		mails = append(mails, one)
	}
	return mails, nil
}

func readMail(path string) (shownMail, error) {
	data, err := fs.ReadFile(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if err != nil {
		return shownMail{}, err
	}
	msg, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return shownMail{}, err
	}
	text, err := io.ReadAll(msg.Body)
	if err != nil {
		return shownMail{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	return shownMail{msg.Header.Get("Date"), msg.Header.Get("To"), subject,
		strings.ReplaceAll(string(text), "\r\n", "\n")}, err
}
