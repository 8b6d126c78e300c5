"""The Frames workspace: folders in groups, numbers and pictures, regrouped by hand."""
