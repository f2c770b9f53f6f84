"""The pages: what they show is run, what they name exists, what they link to is there."""
