#!/usr/bin/perl
# Answers HTTP on PORT with NAME, or the host's name: what an image without a language of its own runs.
use strict;
use warnings;
use IO::Socket::INET;

$SIG{TERM} = $SIG{INT} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';
open(my $file, '<', '/etc/hostname') or die "no host name: $!\n";
chomp(my $host = <$file>);
my $name = $ENV{NAME} // $host;
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT} // 80, Listen => 64, ReuseAddr => 1)
    or die "can't listen: $@\n";
while (1) {
    my $client = $server->accept or next;
    while (my $line = <$client>) { last if $line =~ /^\r?\n$/ }
    my $body = "$name\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", length $body,
        "\r\nConnection: close\r\n\r\n$body";
    close $client;
}
