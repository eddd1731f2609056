# A web server of the shop: its packages, and nginx in front of gunicorn.

package { ['curl', 'git', 'nginx-light', 'postgresql-client', 'python3-venv']: ensure => installed }

# nginx opens the socket and the static files in the home directory.
file { '/home/deploy': ensure => directory, mode => '0711' }

file { '/etc/nginx/sites-available/default':
  content => 'server {
    listen 80 default_server;
    location /static/ { alias /home/deploy/shop/shared/static/; }
    location / {
        proxy_pass http://unix:/home/deploy/shop/shared/shop.sock;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
',
  require => Package['nginx-light'],
  notify  => Service['nginx'],
}

service { 'nginx': ensure => running, enable => true }
