comment on schema ticketblitz_lock is 'ticketblitz-lock 1';
