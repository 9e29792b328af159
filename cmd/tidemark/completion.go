package main

import (
	"github.com/spf13/cobra"
)

// newCompletion prints scripts for shells.
func newCompletion() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print a script that lets a shell complete commands, flags, views and features",
		Long: `completion prints a script for a shell. For this session:

  source <(tidemark completion bash)                # bash, zsh
  tidemark completion fish | source                 # fish
  tidemark completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args: func(cmd *cobra.Command, args []string) error {
			if err := wantArgs(cmd, args, 1, 1); err != nil {
				return err
			}
			return asUsage(cobra.OnlyValidArgs(cmd, args))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			}
			return root.GenPowerShellCompletionWithDesc(w)
		},
	}
}

// completeProfile completes JOB as a folder, VIEW, and FEATURE where a command takes one.
func completeProfile(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	j, err := loadJob(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	switch len(args) {
	case 1:
		for i := range j.Views {
			names = append(names, cobra.CompletionWithDesc(j.Views[i].Name, "view"))
		}
	case 3:
		p := j.View(args[1])
		for i := 0; p != nil && i < len(p.Features()); i++ {
			names = append(names, cobra.CompletionWithDesc(p.Features()[i].Spec.Name, p.Features()[i].Spec.Doc))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeView completes JOB as a folder, and VIEW.
func completeView(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return completeProfile(cmd, args, typed)
}

// completeJob completes JOB as a folder.
func completeJob(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}
