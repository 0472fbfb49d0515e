// A load generator of our own with the standard library alone, so that nothing has to be fetched for it.
module load

go 1.26
