# Hashes, regular expressions, arrays and strings in Perl.
use strict;
my ($work, $sum) = ($ARGV[0], 0);
sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) }
for my $round (1 .. $work) {
    my %count;
    my $text = join ' ', map { 'w' . ($_ * 7919 % 211) } 1 .. 1000;
    $count{$1}++ while $text =~ /(w\d+)/g;
    $sum += $count{$_} * length for sort keys %count;
    my @list = sort { $a <=> $b } map { ($_ * 7919 + $round) % 1009 } 1 .. 1000;
    $sum += $list[$_ * 10] for 0 .. 99;
    (my $copy = $text) =~ s/w(\d)(\d*)/$2$1/g;
    $sum += ($copy =~ tr/1//) + fib(12);
    $sum += $_ ^ $round for 1 .. 3000;
    $sum %= 1000003;
}
print "$sum\n";
