package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/scimhub/scimhub/admin"
	"github.com/scimhub/scimhub/hub"
	"github.com/scimhub/scimhub/model"
)

// exportPage is how many people are asked for at a time.
const exportPage = 500

func identityExport(c *client) *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write everybody to a file, for scimhub plan --people",
		Long: `Writes what the hub knows of everybody as JSON lines: what the sources say,
groups, roles, requests, and what targets should hold. With it a change of the
configuration can be tried where the hub cannot be reached:

  scimhub identity export --file people.jsonl
  scimhub plan --config new.yaml --people people.jsonl

The file holds personal data, and no passwords or secrets.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if path == "" || path == "-" {
				return writePeople(cmd, c, cmd.OutOrStdout())
			}
			return writeFile(path, func(w io.Writer) error { return writePeople(cmd, c, w) })
		},
	}
	cmd.Flags().StringVarP(&path, "file", "f", "", "where to (default: standard output)")
	return cmd
}

// writeFile puts a file in place once all of it is written.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".scimhub-*") // readable by its owner alone
	if err != nil {
		return model.Fail(model.Invalid, path+" cannot be written", err)
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func writePeople(cmd *cobra.Command, c *client, w io.Writer) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for cursor, first := "", true; first || cursor != ""; first = false {
		var page admin.ExportPage
		if err := c.call(cmd.Context(), "GET", query("/export/identities", "cursor", cursor, "limit", strconv.Itoa(exportPage)), nil, &page); err != nil {
			return err
		}
		if first {
			if err := enc.Encode(page.Head); err != nil {
				return err
			}
		}
		for _, p := range page.Items {
			if err := enc.Encode(p); err != nil {
				return err
			}
		}
		cursor = page.Next
	}
	return out.Flush()
}

// planOffline is the plan of a configuration over exported people, without a hub.
func planOffline(configPath, peoplePath, target string) (admin.PlanAnswer, error) {
	if configPath == "" {
		return admin.PlanAnswer{}, usageError{errors.New("--people needs --config: the configuration to try")}
	}
	text, err := readConfig(configPath)
	if err != nil {
		return admin.PlanAnswer{}, err
	}
	f, err := os.Open(peoplePath)
	if err != nil {
		return admin.PlanAnswer{}, model.Fail(model.Invalid, "the people cannot be read: "+err.Error(), err)
	}
	defer f.Close()
	in, n := bufio.NewReaderSize(f, 1<<20), 0
	line := func() ([]byte, error) {
		n++
		b, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(b) > 0 {
			err = nil
		}
		return b, err
	}
	at := func(err error) error { return fmt.Errorf("%s:%d: %w", peoplePath, n, err) }
	first, err := line()
	if err != nil && !errors.Is(err, io.EOF) {
		return admin.PlanAnswer{}, at(err)
	}
	head, err := hub.ParseExportHead(first)
	if err != nil {
		return admin.PlanAnswer{}, at(err)
	}
	snap, err := hub.Compile(head.Version+1, configPath, text, checkProfiles)
	if err != nil {
		return admin.PlanAnswer{}, err
	}
	answer, err := admin.PlanExported(snap, target, head.At, func() (hub.Known, bool, error) {
		b, err := line()
		if errors.Is(err, io.EOF) {
			return hub.Known{}, false, nil
		}
		if err != nil {
			return hub.Known{}, false, at(err)
		}
		k, err := hub.ParseExported(b)
		if err != nil {
			return hub.Known{}, false, at(err)
		}
		return k, true, nil
	})
	answer.Base = head.Version
	return answer, err
}
