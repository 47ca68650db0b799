-- Goes on with what another script has left: some of what is due.
return { not loaded and 'NOTLOADED' or reclaim_all() and 'DONE' or 'MORE' }
