"""Files of users, read with every check a stranger's file needs and written so that each appears whole or not at all."""
