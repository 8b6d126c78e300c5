"""The Library workspace: every master with its verdict, picture, histogram, header and inputs."""
