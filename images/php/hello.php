<?php
// Answers HTTP on PORT with NAME, or the host's name: the script of PHP's own server, which ends when it is told to.
header('Content-Type: text/plain');
echo (getenv('NAME') ?: gethostname()), "\n";
