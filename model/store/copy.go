package store

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/scimhub/scimhub/model"
)

// A backup is the same for both databases: gzip over records, each a byte that says
// what it is, its length, and its content:
//
//	H  head         JSON of BackupHead
//	T  table        JSON of copyTable: its name and columns
//	R  row          values in the order of the columns, see copy_value.go
//	E  end of table JSON of copyEnd: rows, and the SHA-256 over them
//	Z  end          JSON of copyEnd: rows of all tables, and the SHA-256 over their digests
//
// Parents of foreign keys come before their children.
const (
	copyHead  = 'H'
	copyOpen  = 'T'
	copyRow   = 'R'
	copyClose = 'E'
	copyLast  = 'Z'
)

// copyFormat is the version of the format.
const copyFormat = 1

// maxCopyRecord is the longest record that is read, in bytes.
const maxCopyRecord = 512 << 20

// BackupHead says what a backup was taken of.
type BackupHead struct {
	Format  int       `json:"scimhub_backup"`
	Program string    `json:"program"` // version of scimhub that wrote it
	Schema  int       `json:"schema"`  // of the database
	At      time.Time `json:"at"`      // the moment whose state it holds
	From    string    `json:"from"`    // sqlite, postgres
}

// BackupSummary is a backup that was read to its end, or written.
type BackupSummary struct {
	BackupHead
	Tables map[string]int64 `json:"tables"` // rows of each
	Rows   int64            `json:"rows"`
	Digest string           `json:"digest"` // SHA-256 over the digests of all tables, hexadecimal
}

type copyTable struct {
	Name    string   `json:"table"`
	Columns []string `json:"columns"`
}

type copyEnd struct {
	Name   string `json:"table,omitempty"`
	Rows   int64  `json:"rows"`
	Digest string `json:"sha256"`
}

// unusable is the error of a file that is no backup, or no whole one.
func unusable(why string, cause error) error {
	return model.Fail(model.Invalid, "the backup cannot be used, nothing was changed: "+why, cause)
}

// copyWriter writes the records of a backup.
type copyWriter struct {
	zip   *gzip.Writer
	out   *bufio.Writer
	table copyEnd
	sum   hash.Hash // of the rows of the table under way
	all   hash.Hash // of the digests of tables
	sumUp BackupSummary
}

func newCopyWriter(w io.Writer, head BackupHead) (*copyWriter, error) {
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	c := &copyWriter{zip: zip, out: bufio.NewWriterSize(zip, 1<<16), all: sha256.New()}
	c.sumUp = BackupSummary{BackupHead: head, Tables: map[string]int64{}}
	return c, c.json(copyHead, head)
}

func (c *copyWriter) record(kind byte, content []byte) error {
	var frame [1 + binary.MaxVarintLen64]byte
	frame[0] = kind
	n := 1 + binary.PutUvarint(frame[1:], uint64(len(content)))
	if _, err := c.out.Write(frame[:n]); err != nil {
		return err
	}
	_, err := c.out.Write(content)
	return err
}

func (c *copyWriter) json(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.record(kind, text)
}

func (c *copyWriter) begin(t copyTable) error {
	c.table, c.sum = copyEnd{Name: t.Name}, sha256.New()
	return c.json(copyOpen, t)
}

func (c *copyWriter) row(content []byte) error {
	c.table.Rows++
	c.sum.Write(content)
	return c.record(copyRow, content)
}

func (c *copyWriter) end() error {
	digest := c.sum.Sum(nil)
	c.all.Write(digest)
	c.table.Digest = hex.EncodeToString(digest)
	c.sumUp.Tables[c.table.Name] = c.table.Rows
	c.sumUp.Rows += c.table.Rows
	return c.json(copyClose, c.table)
}

// close ends the backup.
func (c *copyWriter) close() (BackupSummary, error) {
	c.sumUp.Digest = hex.EncodeToString(c.all.Sum(nil))
	err := c.json(copyLast, copyEnd{Rows: c.sumUp.Rows, Digest: c.sumUp.Digest})
	return c.sumUp, errors.Join(err, c.out.Flush(), c.zip.Close())
}

// copyReader reads a backup, and holds it against its counts and digests as it goes.
type copyReader struct {
	file  *bufio.Reader
	in    *bufio.Reader
	buf   []byte
	table copyEnd
	sum   hash.Hash
	all   hash.Hash
	sumUp BackupSummary
}

func newCopyReader(r io.Reader) (*copyReader, error) {
	file := bufio.NewReaderSize(r, 1<<16)
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, unusable("it is no backup of scimhub", err)
	}
	zip.Multistream(false)
	c := &copyReader{file: file, in: bufio.NewReaderSize(zip, 1<<16), all: sha256.New()}
	kind, content, err := c.record()
	if err != nil {
		return nil, err
	}
	if kind != copyHead || json.Unmarshal(content, &c.sumUp.BackupHead) != nil || c.sumUp.Format == 0 {
		return nil, unusable("it is no backup of scimhub", nil)
	}
	if c.sumUp.Format != copyFormat {
		return nil, unusable(fmt.Sprintf("it has format %d, this program knows %d: use a newer scimhub", c.sumUp.Format, copyFormat), nil)
	}
	c.sumUp.Tables = map[string]int64{}
	return c, nil
}

// record reads the next one; its content is good until the next call.
func (c *copyReader) record() (kind byte, content []byte, err error) {
	kind, err = c.in.ReadByte()
	if err != nil {
		return 0, nil, c.broken(err)
	}
	n, err := binary.ReadUvarint(c.in)
	if err != nil {
		return 0, nil, c.broken(err)
	}
	if n > maxCopyRecord {
		return 0, nil, unusable("it is damaged: a record of "+strconv.FormatUint(n, 10)+" bytes"+c.where(), nil)
	}
	if uint64(cap(c.buf)) < n {
		if c.buf, err = io.ReadAll(io.LimitReader(c.in, int64(n))); err == nil && uint64(len(c.buf)) < n { // grows with what is really there
			err = io.ErrUnexpectedEOF
		}
	} else {
		c.buf = c.buf[:n]
		_, err = io.ReadFull(c.in, c.buf)
	}
	if err != nil {
		return 0, nil, c.broken(err)
	}
	return kind, c.buf, nil
}

func (c *copyReader) where() string {
	if c.table.Name == "" {
		return ""
	}
	return fmt.Sprintf(", in table %s after row %d", c.table.Name, c.table.Rows)
}

func (c *copyReader) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return unusable("it is cut off"+c.where(), err)
	}
	return unusable("it is damaged"+c.where(), err)
}

// copyVisitor takes the tables and rows of a backup; the content of a row is good
// until row returns.
type copyVisitor interface {
	begin(t copyTable) error
	row(content []byte) error
	end() error
}

// read goes through the whole backup.
func (c *copyReader) read(v copyVisitor) (BackupSummary, error) {
	for {
		kind, content, err := c.record()
		if err != nil {
			return c.sumUp, err
		}
		switch kind {
		case copyOpen:
			var t copyTable
			if err := json.Unmarshal(content, &t); err != nil {
				return c.sumUp, unusable("it is damaged: a table cannot be read", err)
			}
			c.table, c.sum = copyEnd{Name: t.Name}, sha256.New()
			err = v.begin(t)
		case copyRow:
			if c.sum == nil {
				return c.sumUp, unusable("it is damaged: a row outside of a table", nil)
			}
			c.table.Rows++
			c.sum.Write(content)
			err = v.row(content)
		case copyClose:
			if err = c.closed(content); err == nil {
				err = v.end()
			}
		case copyLast:
			return c.sumUp, c.last(content)
		default:
			return c.sumUp, unusable("it is damaged"+c.where(), nil)
		}
		if err != nil {
			return c.sumUp, err
		}
	}
}

// closed compares what was read of a table with what it says.
func (c *copyReader) closed(content []byte) error {
	var end copyEnd
	if err := json.Unmarshal(content, &end); err != nil || c.sum == nil {
		return unusable("it is damaged"+c.where(), err)
	}
	digest := c.sum.Sum(nil)
	switch {
	case end.Name != c.table.Name || end.Rows != c.table.Rows:
		return unusable(fmt.Sprintf("table %s has %d rows, and should have %d", c.table.Name, c.table.Rows, end.Rows), nil)
	case end.Digest != hex.EncodeToString(digest):
		return unusable("the rows of table "+end.Name+" are not those that were written (SHA-256 differs)", nil)
	}
	c.all.Write(digest)
	c.sumUp.Tables[end.Name] = end.Rows
	c.sumUp.Rows += end.Rows
	c.table, c.sum = copyEnd{}, nil
	return nil
}

func (c *copyReader) last(content []byte) error {
	var end copyEnd
	c.sumUp.Digest = hex.EncodeToString(c.all.Sum(nil))
	if err := json.Unmarshal(content, &end); err != nil || end.Rows != c.sumUp.Rows || end.Digest != c.sumUp.Digest {
		return unusable("its tables are not those that were written", err)
	}
	if _, err := c.in.ReadByte(); !errors.Is(err, io.EOF) { // gzip's own check is there, too
		return unusable("it is damaged at its end", err)
	}
	if _, err := c.file.ReadByte(); !errors.Is(err, io.EOF) {
		return unusable("it goes on behind its end", err)
	}
	return nil
}

// unread is a visitor that only lets the reader check.
type unread struct{}

func (unread) begin(copyTable) error { return nil }
func (unread) row([]byte) error      { return nil }
func (unread) end() error            { return nil }

// CheckBackup reads a backup to its end and compares counts and digests. An error says
// what is wrong with it. Memory is bounded.
func CheckBackup(r io.Reader) (BackupSummary, error) {
	c, err := newCopyReader(r)
	if err != nil {
		return BackupSummary{}, err
	}
	return c.read(unread{})
}
